"""/messages: what came in, found by filters, one by one, or all as a file."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.core.dependencies import Keyring, make_router
from app.api.core.enums import MessageVia, OutcomeCode, ProblemCode, SortOrder
from app.api.core.exports import EXPORTED, ExportQuery, answer_export
from app.api.core.filters import BoolFilter, NumberFilter, TimeFilter, read_numbers
from app.api.core.lists import LINK_HEADER, Listing, ListQuery
from app.api.core.schemas import Message, Page, show_message
from app.api.outbound.schemas import MessageDetail
from app.domain.ids import decode_id, find_number
from app.domain.inbound.queries import MessageFilter, fold_words
from app.flows.operations.export import MESSAGES, read_pages
from app.runtime import Runtime
from app.storage.conversations.conversations import mark_read
from app.storage.db.database import Connection
from app.storage.inbound import search
from app.storage.outbound.texts import list_replies

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
        given = self.model_dump(by_alias=True, exclude_none=True)
        return MessageFilter(
            source=self.source,
            dest=self.dest,
            since=self.since,
            until=self.until,
            words=fold_words(self.q or ""),
            problem=self.problem,
            via=self.via,
            unread=self.unread,
            outcome=self.outcome,
            rule_id=find_number("rul", self.rule_id),
            provider_id=self.provider_id,
            merge_fields={
                name.removeprefix("mm."): value
                for name, value in given.items()
                if name.startswith("mm.")
            },
        )


class MessageQuery(ListQuery, MessageFilters):
    """What the list of messages takes."""


class MessageExportQuery(ExportQuery, MessageFilters):
    """What the export of messages takes."""


def make_messages_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/messages", "messages:read")
    database = runtime.database

    @router.get("", responses=LINK_HEADER)
    async def list_messages(
        request: Request, response: Response, query: Annotated[MessageQuery, Query()]
    ) -> Page[Message]:
        """List messages.

        A page may be short or empty while `next` is not null: a search looks at so many messages
        a request. With `order=asc` whoever keeps following `next` sees each message once.
        """
        query = read_numbers(query, runtime.settings.default_region)
        wanted = query.make_filter()
        listing = Listing(request, query, runtime.settings.public_url)
        place, limit = listing.position, query.limit
        if query.order == "asc":
            page = await database.read(search.feed_messages, wanted, after=place or 0, limit=limit)
        else:
            page = await database.read(search.list_messages, wanted, before=place, limit=limit)
        following = listing.make_next(response, None if page.next is None else (page.next,))

        async def count(before: Any, limit: int) -> tuple[int, Any]:
            found = await database.read(search.list_messages, wanted, before=before, limit=limit)
            return len(found.messages), found.next

        counted = await listing.count(count)
        return Page[Message](items=page.messages, next=following, count=counted)  # type: ignore[arg-type]  # read by attributes

    @router.get("/export", response_class=StreamingResponse, responses=EXPORTED)
    async def export_messages(
        query: Annotated[MessageExportQuery, Query()],
    ) -> StreamingResponse:
        """Download every message that matches, as one file that is streamed."""
        query = read_numbers(query, runtime.settings.default_region)
        return await answer_export(
            query.format,
            read_pages(database, query.make_filter(), order=query.order),
            show_message,
            sheet=MESSAGES,
            name="messages",
            runtime=runtime,
        )

    @router.get("/{id}")
    async def get_message(id: str) -> MessageDetail:  # noqa: A002 the path's name
        """Get one message, with the raw parameters that it came as and what was replied."""
        return await database.read(_read_detail, decode_id("msg", id))

    @router.post("/{id}/read")
    async def read_message(id: str) -> Message:  # noqa: A002 the path's name
        """Mark a message as read; doing it again changes nothing."""
        found = await database.write(mark_read, decode_id("msg", id), runtime.now())
        return Message.model_validate(found)

    return router


def _read_detail(conn: Connection, number: int) -> MessageDetail:
    found = search.get_message(conn, number)
    shown = Message.model_validate(found).model_dump()
    replies = list_replies(conn, number)
    return MessageDetail.model_validate({**shown, "raw": found.raw, "replies": replies})
