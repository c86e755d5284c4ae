"""/conversations: one for each pair of one of our numbers and a sender."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.core.dependencies import Keyring, make_router
from app.api.core.filters import BoolFilter, NumberFilter, read_numbers
from app.api.core.lists import LINK_HEADER, Listing, ListQuery, PageQuery
from app.api.core.schemas import Conversation, Page
from app.api.outbound.schemas import ConversationDetail, ConversationMessage, ConversationOutbound
from app.domain.ids import decode_id
from app.domain.inbound.queries import fold_words
from app.runtime import Runtime
from app.storage.conversations import conversations
from app.storage.conversations.conversations import ThreadPage
from app.storage.db.database import Connection
from app.storage.inbound.search import Message
from app.storage.outbound.texts import OutboundText


class ConversationQuery(ListQuery):
    """The filters of /conversations."""

    source: Annotated[NumberFilter, Field(description="who texts")] = None
    dest: Annotated[NumberFilter, Field(description="which number is texted")] = None
    q: Annotated[
        str | None,
        Field(max_length=200, description="every word is a part of the name or of a number"),
    ] = None
    unread: Annotated[BoolFilter, Field(description="with a text not read yet, or without")] = None


def make_conversations_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/conversations", "messages:read")

    @router.get("", responses=LINK_HEADER)
    async def list_conversations(
        request: Request, response: Response, query: Annotated[ConversationQuery, Query()]
    ) -> Page[Conversation]:
        """List conversations, the one with the newest message first."""
        query = read_numbers(query, runtime.settings.default_region)
        listing = Listing(request, query, runtime.settings.public_url)

        async def read(before: Any, limit: int) -> conversations.ConversationPage:
            return await runtime.database.read(
                conversations.list_conversations,
                dest=query.dest,
                source=query.source,
                unread=query.unread,
                words=fold_words(query.q or ""),
                before=before,
                limit=limit,
            )

        async def count(before: Any, limit: int) -> tuple[int, Any]:
            found = await read(before, limit)
            return len(found.conversations), found.next

        page = await read(listing.find_time_position(), query.limit)
        items = [Conversation.model_validate(each) for each in page.conversations]
        following = listing.make_time_next(response, page.next)
        return Page(items=items, next=following, count=await listing.count(count))

    @router.get("/{id}", responses=LINK_HEADER)
    async def get_conversation(
        id: str,  # noqa: A002 the path's name
        request: Request,
        response: Response,
        query: Annotated[PageQuery, Query()],
    ) -> ConversationDetail:
        """Get a conversation with a page of what both sides wrote, newest first."""
        listing = Listing(request, query, runtime.settings.public_url)
        place = listing.find_position(2)
        found, page = await runtime.database.read(
            _read_thread,
            decode_id("cnv", id),
            before=None if place is None else (place[0], place[1]),
            limit=query.limit,
        )
        shown = Conversation.model_validate(found).model_dump()
        items = [_show_item(each) for each in page.items]
        return ConversationDetail(**shown, items=items, next=listing.make_next(response, page.next))

    return router


def _show_item(item: Message | OutboundText) -> ConversationMessage | ConversationOutbound:
    if isinstance(item, Message):
        return ConversationMessage.model_validate(item)
    return ConversationOutbound.model_validate(item)


def _read_thread(
    conn: Connection, number: int, *, before: tuple[int, int] | None, limit: int
) -> tuple[conversations.Conversation, ThreadPage]:
    found = conversations.get_conversation(conn, number)
    return found, conversations.list_thread(conn, found, before=before, limit=limit)
