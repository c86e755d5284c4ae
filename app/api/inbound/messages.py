"""/messages: what came in, found by filters, one by one, or all as a file."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.core.calls import Call, MessageId
from app.api.core.enums import MessageVia, OutcomeCode, ProblemCode, SortOrder
from app.api.core.exports import EXPORTED, ExportQuery, answer_export
from app.api.core.filters import BoolFilter, NumberFilter, TimeFilter, read_numbers
from app.api.core.lists import LINK_HEADER, ListQuery, answer_pages
from app.api.core.routing import make_router
from app.api.core.schemas import Message, Page, show_message
from app.api.outbound.schemas import MessageDetail
from app.domain.ids import find_number
from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.inbound.queries import MessageFilter, fold_words
from app.domain.places import read_id_place
from app.flows.conversations.mark_read import mark_read, mark_unread
from app.flows.inbound import replay
from app.flows.operations.erasures import remove_message as removal
from app.flows.operations.export import MESSAGE_COLUMNS, read_pages
from app.storage.db.database import Connection
from app.storage.inbound import search
from app.storage.outbound.texts import list_replies

router = make_router("/messages", "messages:read")
replaying = make_router("/messages", "messages:send", "messages:read")
removing = make_router("/messages", "admin")

MergeFilter = Annotated[str | None, Field(description="a merge field that must be equal")]


class MessageFilters(BaseModel):
    """The filters of /messages and of its export."""

    source: Annotated[NumberFilter, Field(description="who sent it")] = None
    dest: Annotated[NumberFilter, Field(description="which number was texted")] = None
    since: Annotated[TimeFilter, Field(description="received then or later")] = None
    until: Annotated[TimeFilter, Field(description="received before then")] = None
    q: Annotated[
        str | None,
        Field(max_length=200, description="every word is a substring of the body, case aside"),
    ] = None
    problem: Annotated[ProblemCode | None, Field(description="what was odd about it")] = None
    via: Annotated[MessageVia | None, Field(description="how it came")] = None
    unread: Annotated[BoolFilter, Field(description="not marked as read yet, or marked")] = None
    outcome: Annotated[OutcomeCode | None, Field(description="what became of it")] = None
    rule_id: Annotated[str | None, Field(description="the rule that the outcome speaks of")] = None
    provider_id: Annotated[
        str | None, Field(max_length=1000, description="the id that the provider gave it")
    ] = None
    mm_name: MergeFilter = Field(None, alias="mm.name")
    mm_email: MergeFilter = Field(None, alias="mm.email")
    mm_1: MergeFilter = Field(None, alias="mm.1")
    mm_2: MergeFilter = Field(None, alias="mm.2")
    mm_3: MergeFilter = Field(None, alias="mm.3")
    mm_4: MergeFilter = Field(None, alias="mm.4")
    mm_5: MergeFilter = Field(None, alias="mm.5")
    order: Annotated[
        SortOrder,
        Field(description="desc: newest stored first; asc: a feed whose `next` is never null"),
    ] = "desc"

    def make_filter(self) -> MessageFilter:
        given = self.model_dump(by_alias=True, include=set(MessageFilters.model_fields) - {"order"})
        merge_fields = {name: given.pop(f"mm.{name}") for name in MERGE_FIELDS}
        given |= {
            "words": fold_words(given.pop("q") or ""),
            "rule_id": find_number("rul", self.rule_id),
            "merge_fields": {
                name: value for name, value in merge_fields.items() if value is not None
            },
        }
        return MessageFilter(**given)


class MessageQuery(ListQuery, MessageFilters):
    """What the list of messages takes."""


class MessageExportQuery(ExportQuery, MessageFilters):
    """What the export of messages takes."""


@router.get("", responses=LINK_HEADER)
async def list_messages(call: Call, query: Annotated[MessageQuery, Query()]) -> Page[Message]:
    """List messages.

    A page may be short or empty while `next` is not null: a search looks at so many messages
    a request. With `order=asc` whoever keeps following `next` sees each message once.
    """
    query = read_numbers(query, call.region)
    wanted, database = query.make_filter(), call.database

    async def read(before: int | None, limit: int) -> tuple[Sequence[search.Message], int | None]:
        page = await database.read(search.list_messages, wanted, before=before, limit=limit)
        return page.messages, page.next

    async def feed(after: int | None, limit: int) -> tuple[Sequence[search.Message], int | None]:
        page = await database.read(search.feed_messages, wanted, after=after or 0, limit=limit)
        return page.messages, page.next

    return await answer_pages(
        call,
        query,
        feed if query.order == "asc" else read,
        Message.model_validate,
        read_id_place,
        count_by=read,
    )


@router.get("/export", response_class=StreamingResponse, responses=EXPORTED)
async def export_messages(
    call: Call, query: Annotated[MessageExportQuery, Query()]
) -> StreamingResponse:
    """Download every message that matches, as one file that is streamed."""
    query = read_numbers(query, call.region)
    pages = read_pages(call.database, query.make_filter(), order=query.order)
    return await answer_export(call, "messages", query, pages, show_message, MESSAGE_COLUMNS)


@router.get("/{id}")
async def get_message(id: MessageId, call: Call) -> MessageDetail:
    """Get one message, with the raw parameters that it came as and what was replied."""
    return await call.database.read(_read_detail, id)


@removing.delete("/{id}", status_code=204)
async def remove_message(id: MessageId, call: Call) -> None:
    """Remove a message for good, with its raw parameters; 404 from then on.

    Neither a forward that is repeated nor the provider's report brings it back. Replies to it
    stay, counts of days too. Feeds go on without it. 409 for a moment, until it is handled.
    """
    await removal.remove_message(call.database, id, who=call.actor, now=call.now)
    call.runtime.announce_changes()


@router.post("/{id}/read")
async def read_message(id: MessageId, call: Call) -> Message:
    """Mark a message as read; doing it again changes nothing."""
    marked = await mark_read(call.database, id, now=call.now)
    call.runtime.announce_read()
    return Message.model_validate(marked)


@router.post("/{id}/unread")
async def unread_message(id: MessageId, call: Call) -> Message:
    """Mark a message as unread; doing it again changes nothing."""
    marked = await mark_unread(call.database, id)
    call.runtime.announce_read()
    return Message.model_validate(marked)


@replaying.post("/{id}/replay")
async def replay_message(id: MessageId, call: Call) -> Message:
    """Parse a message again from its raw parameters, and run it through the rules again.

    Its fields become what this release reads in them. Guards and rules are asked where nothing
    has answered it yet: there is never a second reply. 409 for a moment, until it is handled.
    """
    settings = call.runtime.settings
    replayed = await replay.replay_message(
        call.database,
        id,
        zone=settings.zone,
        region=settings.default_region,
        limits=settings.reply_limits,
        who=call.actor,
        now=call.now,
    )
    call.runtime.announce_texts()
    return Message.model_validate(replayed.message)


def _read_detail(conn: Connection, number: int) -> MessageDetail:
    found = search.get_message(conn, number)
    shown = Message.model_validate(found).model_dump()
    replies = list_replies(conn, number)
    return MessageDetail.model_validate({**shown, "raw": found.raw, "replies": replies})
