"""/conversations: one for each pair of one of our numbers and a sender."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call, ConversationId
from app.api.core.filters import BoolFilter, NumberFilter, read_numbers
from app.api.core.lists import (
    LINK_HEADER,
    ListQuery,
    PageQuery,
    answer_pages,
    find_place,
    make_next,
)
from app.api.core.routing import make_router
from app.api.core.schemas import Conversation, Page
from app.api.outbound.schemas import ConversationDetail, ConversationMessage, ConversationOutbound
from app.domain.inbound.queries import fold_words
from app.domain.places import TimePlace, read_pair_place, read_time_place
from app.storage.conversations import conversations
from app.storage.conversations.conversations import ThreadPage
from app.storage.db.database import Connection
from app.storage.inbound.search import Message
from app.storage.outbound.texts import OutboundText

router = make_router("/conversations", "messages:read")


class ConversationQuery(ListQuery):
    """The filters of /conversations."""

    source: Annotated[NumberFilter, Field(description="who texts")] = None
    dest: Annotated[NumberFilter, Field(description="which number is texted")] = None
    q: Annotated[
        str | None,
        Field(max_length=200, description="every word is a part of the name or of a number"),
    ] = None
    unread: Annotated[BoolFilter, Field(description="with a text not read yet, or without")] = None


@router.get("", responses=LINK_HEADER)
async def list_conversations(
    call: Call, query: Annotated[ConversationQuery, Query()]
) -> Page[Conversation]:
    """List conversations, the one with the newest message first."""
    query = read_numbers(query, call.region)

    async def read(
        before: TimePlace | None, limit: int
    ) -> tuple[Sequence[conversations.Conversation], TimePlace | None]:
        found = await call.database.read(
            conversations.list_conversations,
            dest=query.dest,
            source=query.source,
            unread=query.unread,
            words=fold_words(query.q or ""),
            before=before,
            limit=limit,
        )
        return found.conversations, found.next

    return await answer_pages(call, query, read, Conversation.model_validate, read_time_place)


@router.get("/{id}", responses=LINK_HEADER)
async def get_conversation(
    id: ConversationId, call: Call, query: Annotated[PageQuery, Query()]
) -> ConversationDetail:
    """Get a conversation with a page of what both sides wrote, newest first."""
    before = find_place(call, query, read_pair_place)
    found, page = await call.database.read(_read_thread, id, before=before, limit=query.limit)
    shown = Conversation.model_validate(found).model_dump()
    items = [_show_item(each) for each in page.items]
    return ConversationDetail(**shown, items=items, next=make_next(call, query, page.next))


def _show_item(item: Message | OutboundText) -> ConversationMessage | ConversationOutbound:
    if isinstance(item, Message):
        return ConversationMessage.model_validate(item)
    return ConversationOutbound.model_validate(item)


def _read_thread(
    conn: Connection, number: int, *, before: tuple[int, int] | None, limit: int
) -> tuple[conversations.Conversation, ThreadPage]:
    found = conversations.get_conversation(conn, number)
    return found, conversations.list_thread(conn, found, before=before, limit=limit)
