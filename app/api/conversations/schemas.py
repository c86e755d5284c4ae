"""The objects about conversations and the people in them."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from app.api.core.enums import ConversationNeeds, ConversationState, NameSource
from app.api.core.schemas import (
    A_SENDER,
    OUR_NUMBER,
    Changes,
    Message,
    Sent,
    Shown,
    Text,
    Time,
    read_id,
)
from app.api.outbound.schemas import Outbound

Name = Annotated[str | None, BeforeValidator(lambda value: value or None)]


class Conversation(Shown):
    """One of our numbers and one sender."""

    id: Annotated[str, read_id("cnv")] = Field(description="opaque", examples=["cnv_7"])
    dest: str = Field(description="our number", examples=[OUR_NUMBER])
    source: str = Field(description="the other side", examples=[A_SENDER])
    name: Name = Field(
        description="what the number is called, as /people has it", examples=["Ada Lovelace"]
    )
    last_message: Message | None = Field(
        description="the newest text that came in; null where only we have written"
    )
    last_outbound: Outbound | None = Field(
        description="our newest text, automatic ones too; null where we have not written"
    )
    unread: int = Field(description="how many of its texts nobody has marked as read")
    opted_out: bool = Field(description="whether they refuse texts from all our numbers")
    state: ConversationState = Field(
        description="`done` until they write again, and while only we have written"
    )
    needs: ConversationNeeds | None = Field(
        description="`attention`: a text of ours failed, is held or uncertain. `answer`: it is open"
        " and the last word is theirs; automatic replies do not count. null: nothing"
    )
    assigned_to: Annotated[str | None, read_id("mem")] = Field(
        description="the member who takes care of it", examples=["mem_3"]
    )
    updated_at: Time = Field(
        description="when the newest text arrived, or when somebody wrote to them alone after it"
    )


class ConversationMessage(Message):
    """A message of a conversation."""

    direction: Literal["inbound"] = Field("inbound", description="tells it from an outbound text")


class ConversationOutbound(Outbound):
    """A text of a conversation that goes, or went, out."""

    direction: Literal["outbound"] = Field("outbound", description="tells it from a message")


class ConversationNote(Shown):
    """A note for the other members, which is never sent."""

    id: Annotated[str, read_id("not")] = Field(description="opaque", examples=["not_4"])
    author: str = Field(
        description="who wrote it, as the audit trail names them", examples=["key:desk"]
    )
    body: str = Field(description="the note", examples=["She asked for a call back."])
    created_at: Time = Field(description="when it was written")
    direction: Literal["note"] = Field("note", description="tells it from a text")


class ConversationDetail(Conversation):
    """A conversation and a page of what both sides wrote and of the notes, newest first."""

    items: list[
        Annotated[
            ConversationMessage | ConversationOutbound | ConversationNote,
            Field(discriminator="direction"),
        ]
    ] = Field(description="what both sides wrote, and the notes, newest first")
    next: str | None = Field(description="the cursor of the next page; null at the end")


class ConversationChanges(Changes):
    """What to change; what is left out stays."""

    state: ConversationState = Field(
        default="open", description="`done` also ends the attention for texts that failed"
    )
    assigned_to: Annotated[Text, Field(max_length=20)] | None = Field(
        default=None, description="an active member; null: nobody", examples=["mem_3"]
    )


class NoteCreate(Sent):
    """A note to add."""

    body: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=5_000,
            description="for the other members; it is never sent",
            examples=["She asked for a call back."],
        ),
    ]


class Person(Shown):
    """What a number is called, and notes about them."""

    number: str = Field(description="as conversations have it", examples=[A_SENDER])
    name: Name = Field(description="what is shown everywhere", examples=["Ada Lovelace"])
    name_from: NameSource | None = Field(description="where the name comes from; null: no name")
    notes: str = Field(description="for the members", examples=["Prefers the afternoon."])


PersonName = Annotated[
    Text,
    Field(
        max_length=200,
        description='wins over every other name; "" lets the name show that comes from elsewhere',
        examples=["Ada Lovelace"],
    ),
]
PersonNotes = Annotated[
    Text,
    Field(max_length=5_000, description="for the members", examples=["Prefers the afternoon."]),
]


class PersonContent(Sent):
    """The whole card: what is left out becomes empty."""

    name: PersonName = ""
    notes: PersonNotes = ""


class PersonChanges(Changes):
    """What to change; what is left out stays."""

    name: PersonName = ""
    notes: PersonNotes = ""
