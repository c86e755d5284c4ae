"""/conversations: one for each pair of one of our numbers and a sender."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.dependencies import Keyring, make_router
from app.api.filters import BoolFilter, NumberFilter
from app.api.ids import decode_id
from app.api.lists import LINK_HEADER, Listing, ListQuery
from app.api.schemas import Conversation, Page, Thread
from app.runtime import Runtime
from app.storage import conversations
from app.storage.database import Connection
from app.storage.search import Page as MessagePage


class ConversationQuery(ListQuery):
    """The filters of /conversations."""

    source: Annotated[NumberFilter, Field(description="who texts")] = None
    dest: Annotated[NumberFilter, Field(description="which number is texted")] = None
    unread: Annotated[BoolFilter, Field(description="with a text not read yet, or without")] = None


def make_conversations_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/conversations", "messages:read")

    @router.get("", responses=LINK_HEADER)
    async def list_conversations(
        request: Request, response: Response, query: Annotated[ConversationQuery, Query()]
    ) -> Page[Conversation]:
        """List conversations, the one with the newest message first."""
        listing = Listing(request, query, runtime.settings.base_url)
        page = await runtime.database.read(
            conversations.list_conversations,
            dest=query.dest,
            source=query.source,
            unread=query.unread,
            before=listing.find_time_position(),
            limit=query.limit,
        )
        items = [Conversation.model_validate(each) for each in page.conversations]
        return Page(items=items, next=listing.make_time_next(response, page.next))

    @router.get("/{id}", responses=LINK_HEADER)
    async def get_conversation(
        id: str,  # noqa: A002 the path's name
        request: Request,
        response: Response,
        query: Annotated[ListQuery, Query()],
    ) -> Thread:
        """Get a conversation with a page of its messages, newest stored first."""
        listing = Listing(request, query, runtime.settings.base_url)
        found, page = await runtime.database.read(
            _read_thread, decode_id("cnv", id), before=listing.position, limit=query.limit
        )
        rest = listing.make_next(response, None if page.next is None else (page.next,))
        shown = Conversation.model_validate(found).model_dump()
        return Thread(**shown, items=page.messages, next=rest)  # type: ignore[arg-type]  # read by attributes

    return router


def _read_thread(
    conn: Connection, number: int, *, before: int | None, limit: int
) -> tuple[conversations.Conversation, MessagePage]:
    found = conversations.get_conversation(conn, number)
    return found, conversations.list_thread(conn, found, before=before, limit=limit)
