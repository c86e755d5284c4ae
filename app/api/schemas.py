"""The objects that programs get and send; `model_validate` makes them from the stored ones."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from app.domain.access import Scope
from app.domain.ids import Prefix, encode_id

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


def read_id(prefix: Prefix) -> BeforeValidator:
    """Takes a stored row's number and makes it the id that programs see."""
    return BeforeValidator(
        lambda value: encode_id(prefix, value) if isinstance(value, int) else value
    )


def _split(value: str | list[str]) -> list[str]:
    return value.split() if isinstance(value, str) else value


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


class Changes(Sent):
    """What a PATCH changes: a field that is not sent stays as it is.

    No field has a default in the schema: generated clients would send it, and so set what nobody
    named.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        for field in handler.resolve_ref_schema(described)["properties"].values():
            field.pop("default", None)
        return described


class Page(Shown, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(description="the cursor of the next page; null at the end")


OutcomeCode = Literal[
    "replied",
    "no-rule",
    "cooldown",
    "quiet",
    "opted-out",
    "opt-out",
    "opt-out-unsure",
    "opt-in",
    "budget",
    "too-old",
    "expired",
    "unanswerable",
]


class Outcome(Shown):
    """Which rule answered, or why none did."""

    code: OutcomeCode
    rule_id: Annotated[str | None, read_id("rul")]


class Message(Shown):
    """One inbound text."""

    id: Annotated[str, read_id("msg")] = Field(examples=["msg_1q"])
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


class Conversation(Shown):
    """One of our numbers and one sender."""

    id: Annotated[str, read_id("cnv")] = Field(examples=["cnv_7"])
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


class Auth(Shown):
    """An auth value of a number; the value itself is not kept."""

    id: Annotated[str, read_id("aut")]
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

    id: Annotated[str, read_id("key")]
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

    id: Annotated[str, read_id("rul")] = Field(examples=["rul_3"])
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
    message_id: Annotated[str | None, read_id("msg")] = Field(description="where they said so")
    created_at: Time = Field(description="when it was said")


class AuditEntry(Shown):
    """What somebody did."""

    id: Annotated[str, read_id("aud")]
    done_at: Time
    actor: str = Field(
        description="`key:` and the key's name, `session:` or `cli:` and who it was; `stranger`"
        " where a sign-in failed",
        examples=["key:reporting"],
    )
    action: str = Field(description="stable for programs", examples=["rule.change"])
    subject: str = Field(description="the id, number or name that it was done to")
    detail: dict[str, Any]
    address: str | None = Field(description="where the request came from; null at a command line")


class Refusal(Shown):
    """Forwards that were turned away; their content is not kept."""

    id: Annotated[str, read_id("ref")]
    refused_at: Time
    address: str = Field(examples=["192.0.2.7"])
    dest: str = Field(examples=[OUR_NUMBER])
    reason: str = Field(examples=["wrong-auth"])
    count: int = Field(description="alike ones that came within a second or so")


# Alerts whose subject is a row: programs see its id.
_SUBJECTS: dict[str, Prefix] = {"uncertain": "out", "late-answer": "out", "reply-too-long": "rul"}


class Alert(Shown):
    """Something that needs a person."""

    id: Annotated[str, read_id("alr")]
    kind: str = Field(description="stable for programs", examples=["process-vanished"])
    subject: str = Field(description="which one")
    text: str
    action: str = Field(description="what to do")
    count: int
    opened_at: Time
    updated_at: Time
    closed_at: Time | None

    @model_validator(mode="after")
    def _show_id(self) -> Self:
        prefix = _SUBJECTS.get(self.kind)
        if prefix is not None and self.subject.isdecimal():
            self.subject = encode_id(prefix, int(self.subject))
        return self
