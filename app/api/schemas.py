"""The objects that programs get and send; `model_validate` makes them from the stored ones."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from app.api.ids import Prefix, encode_id
from app.domain.access import Scope
from app.domain.messages import RawForward

Item = TypeVar("Item")
ViaName = Literal["forward", "spool", "report"]

OUR_NUMBER = "447700900100"
A_SENDER = "447700900123"


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds, so that texts sort as the times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


Time = Annotated[
    datetime,
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-06-01T12:00:00.000000Z"]}
    ),
]


def _read_id(prefix: Prefix) -> BeforeValidator:
    return BeforeValidator(
        lambda value: encode_id(prefix, value) if isinstance(value, int) else value
    )


def _split(value: str | list[str]) -> list[str]:
    return value.split() if isinstance(value, str) else value


def _read_raw(data: bytes) -> dict[str, Any]:
    raw = RawForward.from_bytes(data)
    return {
        "method": raw.method,
        "content_type": raw.content_type,
        "charset": raw.charset,
        "parameters": [(_read_bytes(name), _read_bytes(value)) for name, value in raw.pairs],
    }


def _read_bytes(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _check_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL character, which no text can")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("it holds half a character (a lone surrogate)")
    return text


# What a database can store.
Text = Annotated[str, AfterValidator(_check_text)]


class Shown(BaseModel):
    """An object that goes out: every field is always there."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )


class Sent(BaseModel):
    """An object that comes in: nothing unknown, and types as they are declared."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Page(Shown, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(description="the cursor of the next page; null at the end")


class Outcome(Shown):
    """Which rule answered, or why none did."""

    code: Literal[
        "replied",
        "no-rule",
        "cooldown",
        "opted-out",
        "opt-out",
        "opt-in",
        "budget",
        "too-old",
        "unanswerable",
    ]
    rule_id: Annotated[str | None, _read_id("rul")]


class Message(Shown):
    """One inbound text."""

    id: Annotated[str, _read_id("msg")] = Field(examples=["msg_1q"])
    provider_id: str | None = Field(description="the provider's id; null where none came")
    source: str = Field(description='who sent it; "" where that did not come', examples=[A_SENDER])
    dest: str = Field(description="which number was texted", examples=[OUR_NUMBER])
    body: str = Field(examples=["Is the shop open on Sunday?"])
    received_at: Time = Field(description="the provider's time, else the time of arrival")
    received_raw: str | None = Field(description="the provider's time as it came")
    arrived_at: Time = Field(description="when it was acknowledged")
    stored_at: Time = Field(description="when the database had it")
    via: ViaName
    merge_fields: dict[str, str] = Field(description="name, email, 1 … 5 as far as they came")
    extra: dict[str, str] = Field(description="the parameters that nobody knows")
    problems: Annotated[list[str], BeforeValidator(_split)] = Field(
        description="codes of what was odd about it"
    )
    read_at: Time | None
    handled_at: Time | None = Field(
        description="null for a moment, until its conversation shows it"
    )
    outcome: Outcome | None = Field(
        None,
        description="null until it is handled, and where nothing is ever answered: a text that"
        " the report had brought before, another text under a known id",
    )


def show_message(stored: object) -> dict[str, Any]:
    """A stored message as programs see it, ready for JSON: the line of an export."""
    return Message.model_validate(stored).model_dump(mode="json")


class RawRequest(Shown):
    """What came over the wire, without the secret."""

    method: str
    content_type: str
    charset: str | None = Field(description="as the request declared it")
    parameters: list[tuple[str, str]] = Field(
        description="names and values in order, read as UTF-8; other bytes are shown as \\xNN"
    )


StatusName = Literal[
    "queued",
    "held",
    "sending",
    "uncertain",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "expired",
    "cancelled",
]


class OutboundError(Shown):
    """Why a text did not, or not certainly, go out; or why it was settled without a last word."""

    code: int | None = Field(description="the provider's, where it gave one", examples=[-401])
    text: str = Field(examples=["Invalid Destination Address"])


class Outbound(Shown):
    """One text to a number, a list or a group."""

    id: Annotated[str, _read_id("out")] = Field(examples=["out_1q"])
    to: str | None = Field(examples=[A_SENDER])
    list: str | None = Field(description="the provider's distribution list that it goes to")
    group: str | None = Field(description="the group of the address book that it goes to")
    recipients: dict[str, int] | None = Field(
        description="how many of a list's or group's are in which status; null for a number",
        examples=[{"delivered": 40, "sent": 2}],
    )
    source: str = Field(examples=[OUR_NUMBER])
    body: str = Field(examples=["We are open from ten to four."])
    parts: int
    status: StatusName
    held_reason: str | None
    provider_status: str | None = Field(
        description="the provider's last word, as it came", examples=["Delivered"]
    )
    provider_ids: Sequence[str] = Field(description="one for each part; none for a list or group")
    background_ids: Sequence[str] = Field(description="those of a list's or group's sends")
    error: OutboundError | None
    in_reply_to: Annotated[str | None, _read_id("msg")]
    rule_id: Annotated[str | None, _read_id("rul")] = Field(description="the rule that answered")
    attempts: int = Field(description="calls that were made, or nearly made, for it")
    schedule_at: Time | None
    send_before: Time | None = Field(
        description="an automatic reply that cannot go out by then expires"
    )
    created_at: Time
    sent_at: Time | None = Field(description="when the provider took it")
    settled_at: Time | None = Field(description="from then on nothing more is expected")


class Attempt(Shown):
    """One call for a text, or nearly one."""

    attempt: int
    began_at: Time
    ended_at: Time | None
    fate: (
        Literal["certainly not taken", "certainly refused", "certainly taken", "unknown"] | None
    ) = Field(description="whether the provider took it; null while the call is under way")
    error_class: str | None
    code: str | None = Field(description="the provider's error code")
    answer: str | None = Field(description="what the provider, or the error, said")


class StatusChange(Shown):
    """One step in the life of a text."""

    status: StatusName
    told_by: str = Field(
        description="send, check, report, background, lease, rule, opt-out, or who did it"
    )
    changed_at: Time
    provider_id: str | None = Field(description="the part that the provider spoke of")
    provider_status: str | None = Field(description="the provider's word")


class OutboundDetail(Outbound):
    """One text with what it went through."""

    calls: Sequence[Attempt] = Field(description="oldest first")
    history: Sequence[StatusChange] = Field(description="oldest first")


class Recipient(Shown):
    """One message of the provider: to a recipient of a list or group, or a part of a text."""

    to: str = Field(examples=[A_SENDER])
    status: StatusName
    provider_id: str
    provider_status: str | None
    updated_at: Time


class MessageDetail(Message):
    """One inbound text with what it was made from, and what was written in reply."""

    raw: Annotated[RawRequest, BeforeValidator(_read_raw)]
    replies: Sequence[Outbound] = Field(description="automatic or by hand, oldest first")


class Conversation(Shown):
    """One of our numbers and one sender."""

    id: Annotated[str, _read_id("cnv")] = Field(examples=["cnv_7"])
    dest: str = Field(examples=[OUR_NUMBER])
    source: str = Field(examples=[A_SENDER])
    name: Annotated[str | None, BeforeValidator(lambda value: value or None)] = Field(
        description="from the merge fields of their newest text that has one"
    )
    last_message: Message | None = Field(
        description="the newest text that came in; null where only we have written"
    )
    unread: int
    opted_out: bool = Field(description="whether they refuse texts from all our numbers")
    updated_at: Time = Field(
        description="when the newest text arrived, or when somebody wrote by hand after it"
    )


class ThreadMessage(Message):
    """A message of a conversation."""

    direction: Literal["inbound"] = "inbound"


class Thread(Conversation):
    """A conversation and a page of its messages, newest first."""

    items: list[ThreadMessage]
    next: str | None


class Auth(Shown):
    """An auth value of a number; the value itself is not kept."""

    id: Annotated[str, _read_id("aut")]
    created_at: Time
    last_seen_at: Time | None
    expires_at: Time | None


class Number(Shown):
    """One of our virtual numbers."""

    number: str = Field(examples=[OUR_NUMBER])
    label: str
    merge_field_names: dict[str, str] = Field(examples=[{"1": "appointment"}])
    opt_out_reply: str | None
    created_at: Time
    auth: list[Auth]


class NewAuth(Auth):
    """An auth value at the one moment when it can be seen; null for those made earlier."""

    value: str | None


class NumberWithAuth(Number):
    """A number with its new auth value, first in the list: put it into the provider's page."""

    auth: list[NewAuth]  # type: ignore[assignment]  # a list of a subclass


class Key(Shown):
    """A key of this interface."""

    id: Annotated[str, _read_id("key")]
    name: str
    scopes: list[Scope]
    created_at: Time
    last_used_at: Time | None = Field(description="to the minute")


class NewKey(Key):
    """A key at the one moment when it can be seen."""

    key: str


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Rule(Shown):
    """One rule that answers by itself; null states no condition."""

    id: Annotated[str, _read_id("rul")] = Field(examples=["rul_3"])
    name: str
    enabled: bool
    position: int = Field(description="the first rule that holds answers, by position")
    dest: str | None = Field(description="which number was texted", examples=[OUR_NUMBER])
    keyword: str | None
    contains: str | None
    pattern: str | None
    source_prefix: str | None
    days: list[Day] | None
    from_time: str | None = Field(serialization_alias="from")
    to_time: str | None = Field(serialization_alias="to", description="exclusive")
    timezone: str
    valid_from: Time | None
    valid_until: Time | None = Field(description="exclusive")
    cooldown_seconds: int
    source: str | None = Field(description="what it answers from; null: the number texted")
    reply: str


class OptOut(Shown):
    """A number that wants no texts from any of ours."""

    number: str = Field(examples=[A_SENDER])
    reason: Literal["keyword", "provider", "person"] = Field(description="who or what said so")
    text: str = Field(description="their words, the provider's answer, or a person's reason")
    message_id: Annotated[str | None, _read_id("msg")] = Field(description="where they said so")
    created_at: Time = Field(description="when it was said")


class AuditEntry(Shown):
    """What somebody did."""

    id: Annotated[str, _read_id("aud")]
    done_at: Time
    actor: str = Field(
        description="`key:` and the key's name, `session:` or `cli:` and who it was",
        examples=["key:reporting"],
    )
    action: str = Field(description="stable for programs", examples=["rule.change"])
    subject: str = Field(description="the id, number or name that it was done to")
    detail: dict[str, Any]


class Refusal(Shown):
    """Forwards that were turned away; their content is not kept."""

    id: Annotated[str, _read_id("ref")]
    refused_at: Time
    address: str = Field(examples=["192.0.2.7"])
    dest: str = Field(examples=[OUR_NUMBER])
    reason: str = Field(examples=["wrong-auth"])
    count: int = Field(description="alike ones that came within a second or so")


class Alert(Shown):
    """Something that needs a person."""

    id: Annotated[str, _read_id("alr")]
    kind: str = Field(description="stable for programs", examples=["process-vanished"])
    subject: str = Field(description="which one")
    text: str
    action: str = Field(description="what to do")
    count: int
    opened_at: Time
    updated_at: Time
    closed_at: Time | None
