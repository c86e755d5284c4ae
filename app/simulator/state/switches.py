"""Switches for what the provider's page leaves open; the defaults are the likeliest answers."""

from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.simulator.state.final_statuses import ENDINGS


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no such time zone: {name}") from error
    return name


def _check_charset(name: str) -> str:
    try:
        "".encode(name)
    except LookupError as error:
        raise ValueError(f"no such charset: {name}") from error
    return name


def _check_endings(shares: dict[str, float]) -> dict[str, float]:
    unknown = sorted(shares.keys() - ENDINGS.keys())
    if unknown:
        raise ValueError(f"no such ending: {', '.join(unknown)}; there are {', '.join(ENDINGS)}")
    if sum(shares.values()) > 1:
        raise ValueError("the shares of all endings are more than 1")
    return shares


Zone = Annotated[str, AfterValidator(_check_zone)]
Charset = Annotated[str, AfterValidator(_check_charset)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Wanted = Literal["2xx", "200", "OK"]


class CallSwitches(BaseModel):
    cancel_action: str = Field(default="CancelMessage", description="the name of the cancel action")
    background_action: str = Field(
        default="GetBGMessages", description="the name of the action that lists a background send"
    )
    background_errors: Literal["json", "plain"] = Field(
        default="json",
        description="-521, -522 and -523 as a JSON object, or plain like other errors",
    )
    content_type: str = Field(default="text/html", description="the content type of every answer")
    charset: Charset = Field(default="utf-8", description="the encoding of parameters and answers")
    trailing_newline: bool = Field(
        default=False, description="every one-line answer ends with a line break"
    )
    error_status: Annotated[int, Field(ge=200, le=599)] = Field(
        default=200, description="the HTTP status of answers that are one error code"
    )
    maintenance: bool = Field(default=False, description="every call is refused with -511")
    magic_numbers: bool = Field(default=True, description="magic numbers do what their tables say")
    credits_comma: bool = Field(
        default=False, description="credits have a thousands separator: 1,000.00"
    )
    zero_unsets_messages: bool = Field(
        default=False, description="ShowErrorMessage=0 counts as not set"
    )
    request_zone: Zone = Field(
        default="Europe/London", description="zone of ScheduleDate, From and To"
    )


class SendSwitches(BaseModel):
    validity_required: bool = Field(default=False, description="a missing ValidityPeriod is -405")
    blank_source_code: Literal[-518, -402, -403] = Field(
        default=-518, description="the code for a blank SourceAddress"
    )
    blank_body_code: Literal[-404, -519] = Field(
        default=-404, description="the code for a blank Body"
    )
    long_body: Literal["refuse", "cut"] = Field(
        default="refuse", description="more than 459 characters: -507, or cut to 459"
    )
    unknown_list_code: Literal[-410, -516] = Field(
        default=-410, description="the code for a list that does not exist"
    )
    unknown_group_code: Literal[-414, -520] = Field(
        default=-414, description="the code for a send to a group that does not exist"
    )
    past_schedule: Literal["refuse", "send"] = Field(
        default="refuse", description="a ScheduleDate in the past: -407, or sent at once"
    )
    whole_call_errors: Literal["lone", "each"] = Field(
        default="lone",
        description="a bad body or source with many numbers: one code, or one per number",
    )
    short_credits: Literal["each", "all"] = Field(
        default="each",
        description="credits for only some numbers: -100 for the others, or for the call",
    )
    national_numbers: bool = Field(default=True, description="07… is read as 447…")
    unrouted_prefixes: tuple[str, ...] = Field(
        default=("888",), description="destinations with these prefixes are refused with -406"
    )
    daily_limit: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="messages to one number per London day, then -411"
    )
    foreign_cost: Annotated[Decimal, Field(gt=0)] = Field(
        default=Decimal(2), description="credits per part to a number that does not begin with 44"
    )
    cancel_refunds: bool = Field(
        default=True, description="cancelling a message refunds its credits"
    )
    cancelled_status: str | None = Field(
        default=None, description="the status of a cancelled message; null: it is removed, -503"
    )
    background_threshold: Count = Field(
        default=200, description="a list or group longer than this is sent in the background"
    )
    background_per_second: Annotated[float, Field(gt=0)] = Field(
        default=100.0, description="the pace of a background send"
    )
    background_ids: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1, description="how many background sends one send is split into"
    )
    import_creates_groups: bool = Field(
        default=True, description="an import creates unknown groups; otherwise the line is Partial"
    )
    contacts_header: bool = Field(default=True, description="contacts and groups have a header row")


class StatusSwitches(BaseModel):
    sent_after_seconds: Seconds = Field(default=2.0, description="from the due time to Sent")
    settled_after_seconds: Seconds = Field(
        default=8.0, description="from the due time to the final status"
    )
    late_after_seconds: Seconds = Field(
        default=60.0, description="from the due time to a late status"
    )
    default_validity_seconds: Annotated[int, Field(ge=1)] = Field(
        default=86400, description="the validity of a message sent without one"
    )
    ending_shares: Annotated[dict[str, Share], AfterValidator(_check_endings)] = Field(
        default={},
        description='shares of final statuses among ordinary numbers, such as {"Failed": 0.1}',
    )
    rename_statuses: dict[str, str] = Field(
        default={}, description='status words to replace, such as {"Delivered": "DELIVRD"}'
    )


class ReportSwitches(BaseModel):
    report_headings: Literal["usual", "other"] = Field(
        default="usual", description="the headings that have been seen, or likely synonyms"
    )
    rename_headings: dict[str, str] = Field(
        default={},
        description='headings to replace, such as {"MessageID": "Ref"}; contacts\' headings too',
    )
    report_dates: Literal["dmy", "ymd", "compact"] = Field(
        default="dmy", description="DD/MM/YYYY HH:MM:SS, YYYY-MM-DD HH:MM:SS or YYYYMMDDHHMMSS"
    )
    reply_zone: Zone = Field(default="Europe/London", description="zone of the times in reports")
    report_newline: Literal["\n", "\r\n"] = Field(
        default="\n", description="the line break at the end of a row"
    )
    report_bom: bool = Field(default=False, description="a byte order mark begins the report")
    short_rows: bool = Field(
        default=False, description="empty fields at the end of a row are omitted"
    )
    report_lag_seconds: Seconds = Field(default=0.0, description="reports are this far behind")
    report_rows: Literal["part", "message"] = Field(
        default="part",
        description="a row for each part of a long message, or one for the whole message",
    )
    report_pending: bool = Field(
        default=True, description="the Messages report includes messages that are still Pending"
    )
    inbound_ids: Literal["same", "other"] = Field(
        default="same", description="InboundMessages has the forwarded id, or another one"
    )
    filler_rows: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=0, description="invented rows before the real ones of Messages and InboundMessages"
    )


class ForwardSwitches(BaseModel):
    forward_charset: Charset = Field(
        default="utf-8", description="the encoding of forwarded parameters"
    )
    forward_zone: Zone = Field(default="Europe/London", description="zone of receivedts")
    forward_content: Literal["form", "multipart", "json", "query"] = Field(
        default="form", description="how a POST carries its parameters"
    )
    forward_names: Literal["lower", "upper", "title"] = Field(
        default="lower", description="the case of the parameter names source, dest, msg, …"
    )
    forward_plus: bool = Field(default=False, description="numbers are forwarded with a leading +")
    forward_long_texts: Literal["whole", "parts"] = Field(
        default="whole", description="a long text is forwarded whole, or as one forward per part"
    )
    forward_unlisted_fields: bool = Field(
        default=True, description="senders who are not on the list have empty MM fields"
    )
    forward_id_count: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="ids repeat after this many texts; null: never"
    )
    forward_wants: Wanted = Field(
        default="2xx",
        description="which answer counts as accepted: any 2xx, only 200, or 200 with the body OK",
    )
    forward_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        default=10.0, description="how long a forward waits for its answer (real seconds)"
    )
    forward_retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0, description="retries after any other answer; 0: none"
    )
    forward_retry_seconds: Seconds = Field(
        default=60.0, description="the pause between two attempts"
    )
    forward_copies: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="how often each text is forwarded"
    )
    forward_copies_at_once: bool = Field(
        default=False, description="the copies are sent at the same time"
    )
    forward_twice_share: Share = Field(
        default=0.0, description="share of texts that are forwarded once more"
    )
    forward_reorder_share: Share = Field(
        default=0.0, description="share of texts that the next one overtakes"
    )
    forward_reorder_seconds: Seconds = Field(
        default=1.0, description="how long such a text waits at most (real seconds)"
    )
    forward_loss_share: Share = Field(
        default=0.0, description="share of texts that are never forwarded: only the report has them"
    )
    stop_fills_blacklist: bool = Field(
        default=False, description="a text that only says STOP puts its sender on the blacklist"
    )


class Switches(CallSwitches, SendSwitches, StatusSwitches, ReportSwitches, ForwardSwitches):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self, changes: dict[str, object]) -> "Switches":
        """These switches with changes; raises pydantic's ValidationError."""
        return Switches.model_validate(self.model_dump() | changes)
