"""The objects of the interface; `model_validate` makes them from stored ones."""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from app.api.core.enums import (
    ApiMemberState,
    ApiRole,
    ApiScope,
    MessageVia,
    OptOutReason,
    OutcomeCode,
    ProblemCode,
    Weekday,
)
from app.domain.ids import Prefix, encode_id
from app.domain.times import format_time

Item = TypeVar("Item")

OUR_NUMBER = "447700900100"
A_SENDER = "447700900123"


Time = Annotated[
    datetime,
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def read_id(prefix: Prefix) -> BeforeValidator:
    """Turns a row's number into the id that programs see."""
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
GivenNumber = Annotated[
    Text,
    Field(
        max_length=40,
        description="a full number, or a national one of DEFAULT_REGION",
        examples=[A_SENDER, "07700 900123"],
    ),
]


class Shown(BaseModel):
    """An object in an answer: it always has every field."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )


class Sent(BaseModel):
    """An object in a request: no unknown fields, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Changes(Sent):
    """What a PATCH changes: a field that is not sent stays as it is.

    The schema states no defaults: generated clients would send them.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        for field in handler.resolve_ref_schema(described)["properties"].values():
            field.pop("default", None)
        return described


class Count(Shown):
    """How many there are."""

    value: int = Field(description="as many as were counted")
    exact: bool = Field(description="false: there are more, or some were not looked at")


class Page(Shown, Generic[Item]):
    """A part of a list."""

    # The docstring of a generic class does not get into the schema.
    model_config = ConfigDict(json_schema_extra={"description": "A part of a list"})

    items: list[Item] = Field(description="in the order of the list")
    next: str | None = Field(description="the cursor of the next page; null at the end")
    count: Count | None = Field(
        default=None,
        exclude_if=lambda count: count is None,
        description="of all that match, with `count=true`",
    )


class Outcome(Shown):
    """Which rule answered, or why none did."""

    code: OutcomeCode = Field(description="what became of the text")
    rule_id: Annotated[str | None, read_id("rul")] = Field(
        description="the rule that answered, or would have; null where none was concerned"
    )


class Message(Shown):
    """One inbound text."""

    id: Annotated[str, read_id("msg")] = Field(description="opaque", examples=["msg_1q"])
    conversation_id: Annotated[str | None, read_id("cnv")] = Field(
        None, description="where it stands; null for a moment, until it is handled"
    )
    provider_id: str | None = Field(description="the provider's id; null where none came")
    source: str = Field(description='who sent it; "" where that did not come', examples=[A_SENDER])
    dest: str = Field(description="which number was texted", examples=[OUR_NUMBER])
    body: str = Field(description="the text", examples=["Is the shop open on Sunday?"])
    received_at: Time = Field(description="the provider's time, else the time of arrival")
    received_raw: str | None = Field(description="the provider's time as it came")
    arrived_at: Time = Field(description="when it was acknowledged")
    stored_at: Time = Field(description="when the database had it")
    via: MessageVia = Field(description="how it came")
    merge_fields: dict[str, str] = Field(description="name, email, 1 … 5 as far as they came")
    extra: dict[str, str] = Field(description="the parameters that nobody knows")
    problems: Annotated[list[ProblemCode], BeforeValidator(_split)] = Field(
        description="codes of what was odd about it"
    )
    read_at: Time | None = Field(description="when somebody marked it as read; null: unread")
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


class Auth(Shown):
    """An auth value of a number; the value itself is not kept."""

    id: Annotated[str, read_id("aut")] = Field(description="opaque", examples=["aut_3"])
    created_at: Time = Field(description="when it was made")
    last_seen_at: Time | None = Field(description="when a forward last came with it")
    expires_at: Time | None = Field(description="when it stops working; null: it stays")


class VirtualNumber(Shown):
    """One of our virtual numbers."""

    number: str = Field(description="in digits alone", examples=[OUR_NUMBER])
    label: str = Field(description="for people", examples=["Front desk"])
    merge_field_names: dict[str, str] = Field(
        description="its own names for the merge fields name, email, 1 … 5",
        examples=[{"1": "appointment"}],
    )
    opt_out_reply: str | None = Field(
        description="the one text that confirms an opt-out; null: none is sent"
    )
    created_at: Time = Field(description="when it was configured")
    auth: list[Auth] = Field(description="its auth values that still work, newest first")


class AuthWithValue(Auth):
    """An auth value at the one moment when it can be seen; null for those made earlier."""

    value: str | None = Field(description="the auth value; null for one made earlier")


class NumberWithAuth(VirtualNumber):
    """A number with its new auth value, first in the list: put it into the provider's page."""

    auth: list[AuthWithValue] = Field(  # type: ignore[assignment]  # a list of a subclass
        description="its auth values that still work, the new one first"
    )


class ApiKey(Shown):
    """A key of this interface."""

    id: Annotated[str, read_id("key")] = Field(description="opaque", examples=["key_2"])
    name: str = Field(description="for people; the audit names it", examples=["reporting"])
    scopes: list[ApiScope] = Field(description="what it may do", examples=[["messages:read"]])
    created_at: Time = Field(description="when it was created")
    last_used_at: Time | None = Field(description="to the minute")


class ApiKeyWithSecret(ApiKey):
    """A key at the one moment when it can be seen."""

    key: str = Field(description="the key itself, for the header `Authorization`")


class Member(Shown):
    """Somebody who uses the pages."""

    id: Annotated[str, read_id("mem")] = Field(description="opaque", examples=["mem_3"])
    name: str = Field(description="shown next to what they do", examples=["Ada"])
    role: ApiRole = Field(description="what they may do on the pages")
    state: ApiMemberState = Field(description="whether they have signed in, and still may")
    last_seen_at: Time | None = Field(description="to five minutes; null before the first time")


class MemberWithLink(Member):
    """A member with a link by which they choose a password; it works once."""

    link: str = Field(
        description="to pass on; shown in this answer alone",
        examples=["https://texts.example.com/sign-in?link=ZXhhbXBsZQ"],
    )
    link_expires_at: Time = Field(description="when it can no longer be used")


class Rule(Shown):
    """One rule that answers by itself; null states no condition."""

    id: Annotated[str, read_id("rul")] = Field(description="opaque", examples=["rul_3"])
    name: str = Field(description="for people", examples=["Opening hours"])
    enabled: bool = Field(description="whether it answers at all")
    position: int = Field(description="the first rule that holds answers, by position")
    dest: str | None = Field(description="which number was texted", examples=[OUR_NUMBER])
    keyword: str | None = Field(
        description="the text's first word, case and punctuation aside", examples=["hours"]
    )
    contains: str | None = Field(description="a part of the text, case aside")
    pattern: str | None = Field(description="an RE2 pattern found in the text, case aside")
    source_prefix: str | None = Field(description="how the sender's number begins")
    days: list[Weekday] | None = Field(description="the days on which it answers")
    from_time: str | None = Field(
        serialization_alias="from", description="a time of day", examples=["09:00"]
    )
    to_time: str | None = Field(
        serialization_alias="to",
        description="exclusive; hours past midnight belong to the day on which they began",
        examples=["17:30"],
    )
    timezone: str = Field(description="of days and hours", examples=["Europe/London"])
    valid_from: Time | None = Field(description="it answers from then on")
    valid_until: Time | None = Field(description="it answers until then, exclusive")
    cooldown_seconds: int = Field(
        description="how long it is silent to a sender whom it has answered"
    )
    source: str | None = Field(description="what it answers from; null: the number texted")
    reply: str = Field(
        description="with placeholders such as {name|there}",
        examples=["Hello {name|there}, we are open until five."],
    )


class OptOut(Shown):
    """A number that wants no texts from any of ours."""

    number: Annotated[str | None, BeforeValidator(lambda value: value or None)] = Field(
        description="in digits alone; null where the number was erased, and the opt-out holds",
        examples=[A_SENDER],
    )
    reason: OptOutReason = Field(description="who or what said so")
    text: str = Field(description="their words, the provider's answer, or a person's reason")
    message_id: Annotated[str | None, read_id("msg")] = Field(description="where they said so")
    created_at: Time = Field(description="when it was said")
