"""What programs send about outgoing texts: texts, filters, resolutions."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from app.api.core.enums import OutboundStatus, ResolvedAs, SchedulerName, SortOrder
from app.api.core.exports import ExportQuery
from app.api.core.filters import NumberFilter, TimeFilter, split_list
from app.api.core.lists import ListQuery
from app.api.core.schemas import A_SENDER, OUR_NUMBER, Changes, Sent, Text
from app.domain.errors import InvalidInput, NotFound
from app.domain.ids import decode_id, find_number
from app.domain.inbound.queries import fold_words
from app.domain.outbound.gsm import LONGEST_BODY
from app.domain.outbound.requests import OutboundRequest
from app.domain.outbound.states import LONGEST_VALIDITY_SECONDS
from app.flows.outbound.change_text import TextChanges
from app.flows.outbound.check_request import MOST_NUMBERS
from app.storage.outbound.lists import OutboundFilter

Body = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=LONGEST_BODY,
        description="459 characters are three parts in the GSM alphabet, more in others",
        examples=["We are open from ten to four."],
    ),
]
Name = Annotated[Text, Field(min_length=1, max_length=200)]
NUMBER: dict[str, Any] = {"type": "string", "maxLength": 60, "examples": [A_SENDER, "07700 900123"]}


def _read_to(value: object) -> object:
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in many):
        raise ValueError("write a number, or a list of numbers, as text")
    if not 1 <= len(many) <= MOST_NUMBERS:
        raise ValueError(f"send to 1 to {MOST_NUMBERS} numbers at once")
    return value


# Several languages have no type for one or many: the schema names only the list.
To = Annotated[
    str | list[str],
    PlainValidator(_read_to),
    WithJsonSchema({"type": "array", "items": NUMBER, "minItems": 1, "maxItems": MOST_NUMBERS}),
]


Metadata = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=40)], Annotated[Text, Field(max_length=500)]
    ],
    Field(max_length=20, examples=[{"order": "4711"}]),
]


class OutboundOptions(Sent):
    """What a text to one and a batch have in common."""

    source: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=60,
            description="one of our numbers, or a name of at most 11 characters",
            examples=[OUR_NUMBER],
        ),
    ]
    source_ton: Literal[1, 5] | None = Field(None, description="1 international, 5 alphanumeric")
    schedule_at: TimeFilter = Field(None, description="when to send it, within a year")
    schedule_by: SchedulerName | None = Field(
        None, description="who keeps the schedule; Letterbox where nothing is said"
    )
    validity_seconds: Annotated[int, Field(ge=1, le=LONGEST_VALIDITY_SECONDS)] = Field(
        LONGEST_VALIDITY_SECONDS, description="how long the network tries to deliver it"
    )
    reference: Annotated[Text, Field(min_length=1, max_length=200)] | None = Field(
        None, description="your own name for it, which `GET /outbound?reference=` finds"
    )
    metadata: Metadata = Field(
        default_factory=dict, description="up to 20 short texts of your own, by name"
    )
    force: bool = Field(
        default=False, description="send to numbers that have opted out; it is audited"
    )


class OutboundCreate(OutboundOptions):
    """A text to send: to numbers, or to a list, or to a group of the provider's."""

    to: To | None = Field(
        None,
        description="the numbers; each gets one text, however often it is named. A text that is one"
        " number is taken as well",
    )
    list_name: Name | None = Field(None, alias="list", description="a distribution list's name")
    group: Name | None = Field(None, description="the name of a group of the address book")
    body: Body
    in_reply_to: str | None = Field(
        None, description="the message that it answers, whose sender it goes to"
    )

    def make_request(self) -> OutboundRequest:
        given = self.model_dump() | {"in_reply_to": _read_message_id(self.in_reply_to)}
        group = given.pop("group")
        return OutboundRequest(**given, group_name=group)


class OutboundChanges(Changes):
    """What to change of a text that waits: what is left out stays."""

    body: Body = Field(default_factory=str)
    schedule_at: TimeFilter = Field(None, description="when to send it; null: at once")

    def make_changes(self) -> TextChanges:
        sent = self.model_fields_set
        return TextChanges(
            body=self.body if "body" in sent else None,
            schedule_at=self.schedule_at if "schedule_at" in sent else "unchanged",
        )


class Resolution(Sent):
    """What became of an uncertain text, as somebody found out."""

    outcome: ResolvedAs = Field(description="what became of it")
    provider_id: Annotated[Text, Field(min_length=1, max_length=64)] | None = Field(
        None, description="its id in the provider's report, with `sent`: it is followed by it"
    )
    attempt: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(
        None,
        description="the text's `attempts` when it was looked at: 409 where it was sent once more"
        " since then",
    )


def _sort_unique(values: list[str] | None) -> list[str] | None:
    """The same alternatives make the same cursor, in whatever order they come."""
    return None if values is None else sorted(set(values))


class OutboundFilters(BaseModel):
    """The filters of /outbound and of its export."""

    status: Annotated[
        list[OutboundStatus] | None,
        BeforeValidator(split_list),
        AfterValidator(_sort_unique),
        Field(description="what became of it: one of these, where there are several"),
    ] = None
    to: Annotated[NumberFilter, Field(description="whom it goes to")] = None
    source: Annotated[NumberFilter, Field(description="what it goes out from")] = None
    q: Annotated[
        str | None,
        Field(max_length=200, description="every word is a substring of the body, case aside"),
    ] = None
    since: Annotated[TimeFilter, Field(description="created then or later")] = None
    until: Annotated[TimeFilter, Field(description="created before then")] = None
    reference: Annotated[
        str | None, Field(max_length=200, description="the reference that it was sent with")
    ] = None
    updated_since: Annotated[
        TimeFilter, Field(description="queued, or changed in its status, then or later")
    ] = None
    in_reply_to: Annotated[str | None, Field(description="a message's id")] = None
    rule_id: Annotated[str | None, Field(description="the rule that answered")] = None
    batch_id: Annotated[str | None, Field(description="the batch that it belongs to")] = None

    def make_filter(self) -> OutboundFilter:
        given = self.model_dump(include=set(OutboundFilters.model_fields))
        given |= {
            "statuses": tuple(given.pop("status") or ()),
            "words": fold_words(given.pop("q") or ""),
            "in_reply_to": find_number("msg", self.in_reply_to),
            "rule_id": find_number("rul", self.rule_id),
            "batch_id": find_number("bat", self.batch_id),
        }
        return OutboundFilter(**given)


class OutboundQuery(ListQuery, OutboundFilters):
    """What the list of outbound texts takes."""

    order: Annotated[
        SortOrder,
        Field(description="desc: newest first; asc: a feed whose `next` is never null"),
    ] = "desc"


class OutboundExportQuery(ExportQuery, OutboundFilters):
    """What the export of outbound texts takes."""


def _read_message_id(text: str | None) -> int | None:
    try:
        return None if text is None else decode_id("msg", text)
    except NotFound as error:
        raise InvalidInput(str(error), field="in_reply_to", code="not-found") from None
