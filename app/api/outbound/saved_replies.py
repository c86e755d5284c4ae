"""/saved-replies: texts that people insert."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call, SavedReplyId
from app.api.core.etags import IfMatch
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import Changes, Page, Sent, Shown, Text, Time, read_id
from app.domain.lengths import LONGEST_NAME
from app.domain.templates import LONGEST_TEMPLATE
from app.flows.outbound import edit_saved_replies
from app.storage.outbound import saved_replies

reading = make_router("/saved-replies", "messages:read")
writing = make_router("/saved-replies", "messages:send")

Name = Annotated[
    Text,
    Field(min_length=1, max_length=LONGEST_NAME, description="unique", examples=["Opening hours"]),
]
Body = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=LONGEST_TEMPLATE,
        description="with placeholders such as {name|there}, as a rule's reply; {{ for a brace",
        examples=["Hello {name|there}, we are open until five."],
    ),
]


class SavedReply(Shown):
    """A text that people insert where they write."""

    id: Annotated[str, read_id("rep")] = Field(description="opaque", examples=["rep_2"])
    name: str = Field(description="what people choose it by", examples=["Opening hours"])
    body: str = Field(
        description="with placeholders such as {name|there}",
        examples=["Hello {name|there}, we are open until five."],
    )
    created_at: Time = Field(description="when it was added")
    updated_at: Time = Field(description="when it last changed")


class SavedReplyCreate(Sent):
    """A saved reply to add."""

    name: Name
    body: Body


class SavedReplyChanges(Changes):
    """What to change; what is left out stays."""

    name: Name = Field(default_factory=str)
    body: Body = Field(default_factory=str)


@reading.get("", responses=LINK_HEADER)
async def list_saved_replies(call: Call, query: Annotated[ListQuery, Query()]) -> Page[SavedReply]:
    """List the saved replies, newest first."""
    return await answer_list(
        call, query, saved_replies.list_saved_replies, SavedReply.model_validate
    )


@reading.get("/{id}")
async def get_saved_reply(id: SavedReplyId, call: Call) -> SavedReply:
    """Get one saved reply."""
    found = await call.database.read(saved_replies.get_saved_reply, id)
    return SavedReply.model_validate(found)


@writing.post("", status_code=201, responses=CREATED)
async def create_saved_reply(body: SavedReplyCreate, call: Call) -> SavedReply:
    """Add a saved reply."""
    created = await edit_saved_replies.create_saved_reply(
        call.database, body.name, body.body, who=call.actor, now=call.now
    )
    shown = SavedReply.model_validate(created)
    call.locate(f"/saved-replies/{shown.id}")
    return shown


@writing.patch("/{id}")
async def change_saved_reply(
    id: SavedReplyId, body: SavedReplyChanges, call: Call, if_match: IfMatch
) -> SavedReply:
    """Change a saved reply; texts that were written with it stay as they are."""
    changed = await edit_saved_replies.change_saved_reply(
        call.database,
        id,
        **body.model_dump(exclude_unset=True),
        check=if_match.checking(SavedReply.model_validate),
        who=call.actor,
        now=call.now,
    )
    return SavedReply.model_validate(changed)


@writing.delete("/{id}", status_code=204)
async def remove_saved_reply(id: SavedReplyId, call: Call, if_match: IfMatch) -> None:
    """Remove a saved reply; texts that were written with it stay."""
    await edit_saved_replies.remove_saved_reply(
        call.database,
        id,
        check=if_match.checking(SavedReply.model_validate),
        who=call.actor,
        now=call.now,
    )
