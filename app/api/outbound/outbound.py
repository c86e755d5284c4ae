"""/outbound: what goes out, written here and followed to its end."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from app.api.core.dependencies import By, Caller, Keyring, make_router
from app.api.core.etags import IfMatch
from app.api.core.exports import EXPORTED, answer_export
from app.api.core.filters import read_numbers
from app.api.core.idempotency import ONCE_PARAMETER, REPLAYED, REPLAYED_HEADER, find_key
from app.api.core.lists import LINK_HEADER, Listing, ListQuery
from app.api.core.schemas import Page
from app.api.outbound.requests import OutboundCreate, OutboundExportQuery, OutboundQuery, Resolution
from app.api.outbound.schemas import (
    Outbound,
    OutboundDetail,
    QueuedTexts,
    Recipient,
    show_detail,
    show_outbound,
    show_queued,
)
from app.domain.ids import decode_id
from app.domain.outbound.requests import digest_request
from app.flows.operations.export import OUTBOUND, read_outbound_pages
from app.flows.outbound.cancel import cancel_text
from app.flows.outbound.compose import compose_once
from app.flows.outbound.resolve import resolve_text
from app.runtime import Runtime
from app.storage.db.database import Connection
from app.storage.operations.idempotency import Once
from app.storage.outbound import lists, texts

QUEUED: dict[int | str, dict[str, Any]] = {202: {"headers": REPLAYED_HEADER}}


def make_outbound_reading(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/outbound", "messages:read")
    database = runtime.database

    @router.get("", responses=LINK_HEADER)
    async def list_outbound(
        request: Request, response: Response, query: Annotated[OutboundQuery, Query()]
    ) -> Page[Outbound]:
        """List what goes out and went out, newest first.

        With several filters a page may be short or empty while `next` is not null. With
        `order=asc` whoever keeps following `next` sees each text once.
        """
        query = read_numbers(query, runtime.settings.default_region)
        wanted = query.make_filter()
        listing = Listing(request, query, runtime.settings.public_url)

        async def count(before: Any, limit: int) -> tuple[int, Any]:
            read = lists.list_outbound
            found = await database.read(read, wanted, before=before, limit=limit)
            return len(found.texts), found.next

        if query.order == "asc":
            feed = await database.read(
                lists.feed_outbound,
                wanted,
                after=listing.position or 0,
                limit=query.limit,
            )
            items = [Outbound.model_validate(each) for each in feed.texts]
            following = listing.make_next(response, (feed.next,))
            return Page(items=items, next=following, count=await listing.count(count))
        place = listing.find_time_position()
        page = await database.read(lists.list_outbound, wanted, before=place, limit=query.limit)
        items = [Outbound.model_validate(each) for each in page.texts]
        return Page(
            count=await listing.count(count),
            items=items,
            next=listing.make_time_next(response, page.next),
        )

    @router.get("/export", response_class=StreamingResponse, responses=EXPORTED)
    async def export_outbound(
        query: Annotated[OutboundExportQuery, Query()],
    ) -> StreamingResponse:
        """Download every text that matches, as one file that is streamed."""
        query = read_numbers(query, runtime.settings.default_region)
        return await answer_export(
            query.format,
            read_outbound_pages(database, query.make_filter()),
            show_outbound,
            sheet=OUTBOUND,
            name="outbound",
            runtime=runtime,
        )

    @router.get("/{id}")
    async def get_outbound(id: str) -> OutboundDetail:  # noqa: A002 the path's name
        """Get one text, with every call that was made for it and every change of its status."""
        return await _read(runtime, id)

    @router.get("/{id}/recipients", responses=LINK_HEADER)
    async def list_recipients(
        id: str,  # noqa: A002 the path's name
        request: Request,
        response: Response,
        query: Annotated[ListQuery, Query()],
    ) -> Page[Recipient]:
        """List the recipients of a list or group, as far as the provider has told of them.

        For a text to a number these are its parts.
        """
        listing = Listing(request, query, runtime.settings.public_url)
        return await listing.answer(
            response,
            lambda before, limit: database.read(
                _read_recipients,
                decode_id("out", id),
                before=before,
                limit=limit,
            ),
            Recipient.model_validate,
        )

    return router


def make_outbound_sending(runtime: Runtime, keyring: Keyring) -> APIRouter:
    # Its answer to an Idempotency-Key is kept by the transaction that queues the texts.
    queueing = make_router(keyring, "/outbound", "messages:send")
    router = make_router(keyring, "/outbound", "messages:send", acts_at_provider=True)
    settings = runtime.settings

    @queueing.post(
        "",
        status_code=202,
        response_model=QueuedTexts,
        responses=QUEUED,
        openapi_extra=ONCE_PARAMETER,
    )
    async def send_text(
        body: OutboundCreate,
        request: Request,
        by: By,
    ) -> Response:
        """Queue a text for one number or up to 100, or for a list or group: all of it or nothing.

        Where a number is off or has opted out, 422 names each such number and nothing is queued.
        """
        runtime.get_provider()
        wanted = body.make_request()
        key = find_key(request)
        done = await compose_once(
            runtime.database,
            wanted,
            None if key is None else Once(by.owner, key, digest_request(wanted)),
            show_queued,
            who=by.actor,
            region=settings.default_region,
            zone=settings.zone,
            now=runtime.now(),
        )
        if done.is_replayed:
            return JSONResponse(done.answer, 202, REPLAYED)
        runtime.announce_texts()
        return JSONResponse(done.answer, 202)

    @router.post("/{id}/cancel")
    async def cancel_outbound(id: str, by: By, if_match: IfMatch) -> Outbound:  # noqa: A002 the path's name
        """Cancel a text that is waiting here or scheduled at the provider.

        409 says why it can no longer be cancelled; cancelling twice changes nothing. Without the
        scope `messages:read` the `body` is empty.
        """
        await if_match.check_read(lambda: _read(runtime, id))
        found = await cancel_text(
            runtime.database,
            runtime.get_provider,
            decode_id("out", id),
            who=by.actor,
            now=runtime.now(),
        )
        runtime.announce_texts()
        return _show_to(by, found)

    @router.post("/{id}/resolve")
    async def resolve_outbound(
        id: str,  # noqa: A002 the path's name
        body: Resolution,
        by: By,
        if_match: IfMatch,
    ) -> Outbound:
        """Say what became of an uncertain text, as the provider's Messages report shows it.

        `sent` ends the doubt, `resend` sends it again, `failed` gives it up.
        """
        await if_match.check_read(lambda: _read(runtime, id))
        found = await resolve_text(
            runtime.database,
            decode_id("out", id),
            body.outcome,
            provider_id=body.provider_id,
            attempt=body.attempt,
            who=by.actor,
            now=runtime.now(),
        )
        runtime.announce_texts()
        return _show_to(by, found)

    both = APIRouter()
    both.include_router(queueing)
    both.include_router(router)
    return both


def _show_to(by: Caller, found: texts.OutboundText) -> Outbound:
    """A text that someone else may have written, or that quotes an incoming text."""
    shown = Outbound.model_validate(found)
    if not by.may("messages:read"):
        shown.body = ""
    return shown


async def _read(runtime: Runtime, id: str) -> OutboundDetail:  # noqa: A002 the path's name
    return await runtime.database.read(_read_detail, decode_id("out", id))


def _read_detail(conn: Connection, number: int) -> OutboundDetail:
    found = texts.get_outbound(conn, number)
    return show_detail(found, texts.read_history(conn, number))


def _read_recipients(
    conn: Connection, number: int, *, before: int | None, limit: int
) -> Sequence[texts.Recipient]:
    texts.get_outbound(conn, number)
    return texts.list_recipients(conn, number, before=before, limit=limit)
