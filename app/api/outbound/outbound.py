"""/outbound: what goes out, written here and followed to its end."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import JSONResponse, StreamingResponse

from app.api.core.calls import Call, CallContext, OutboundId
from app.api.core.etags import IfMatch
from app.api.core.exports import EXPORTED, answer_export
from app.api.core.filters import read_numbers
from app.api.core.idempotency import ONCE_PARAMETER, REPLAYED, REPLAYED_HEADER, find_key
from app.api.core.lists import LINK_HEADER, ListQuery, answer_list, answer_pages
from app.api.core.routing import make_router
from app.api.core.schemas import Page
from app.api.outbound.requests import (
    OutboundChanges,
    OutboundCreate,
    OutboundExportQuery,
    OutboundQuery,
    Resolution,
)
from app.api.outbound.schemas import (
    Outbound,
    OutboundDetail,
    QueuedTexts,
    Recipient,
    show_detail,
    show_outbound,
    show_queued,
)
from app.domain.outbound.requests import digest_request
from app.domain.places import TimePlace, read_id_place, read_time_place
from app.flows.operations.export import OUTBOUND_COLUMNS, read_outbound_pages
from app.flows.outbound.attend import attend_text
from app.flows.outbound.cancel import cancel_text
from app.flows.outbound.change_text import change_text
from app.flows.outbound.compose import compose_once
from app.flows.outbound.sending.resolve import resolve_text
from app.storage.db.database import Connection
from app.storage.operations.idempotency import IdempotencyKey
from app.storage.outbound import lists, texts

reading = make_router("/outbound", "messages:read")
# Its answer to an Idempotency-Key is kept by the transaction that queues the texts.
queueing = make_router("/outbound", "messages:send")
acting = make_router("/outbound", "messages:send", acts_at_provider=True)


@reading.get("", responses=LINK_HEADER)
async def list_outbound(call: Call, query: Annotated[OutboundQuery, Query()]) -> Page[Outbound]:
    """List what goes out and went out, newest first.

    With several filters a page may be short or empty while `next` is not null. With
    `order=asc` whoever keeps following `next` sees each text once.
    """
    query = read_numbers(query, call.region)
    wanted, show = query.make_filter(), Outbound.model_validate

    async def read(
        before: TimePlace | None, limit: int
    ) -> tuple[Sequence[texts.OutboundText], TimePlace | None]:
        page = await call.database.read(lists.list_outbound, wanted, before=before, limit=limit)
        return page.texts, page.next

    async def feed(
        after: int | None, limit: int
    ) -> tuple[Sequence[texts.OutboundText], int | None]:
        page = await call.database.read(lists.feed_outbound, wanted, after=after or 0, limit=limit)
        return page.texts, page.next

    if query.order == "asc":
        return await answer_pages(call, query, feed, show, read_id_place, count_by=read)
    return await answer_pages(call, query, read, show, read_time_place)


@reading.get("/export", response_class=StreamingResponse, responses=EXPORTED)
async def export_outbound(
    call: Call, query: Annotated[OutboundExportQuery, Query()]
) -> StreamingResponse:
    """Download every text that matches, as one file that is streamed."""
    query = read_numbers(query, call.region)
    pages = read_outbound_pages(call.database, query.make_filter())
    return await answer_export(call, "outbound", query, pages, show_outbound, OUTBOUND_COLUMNS)


@reading.get("/{id}")
async def get_outbound(id: OutboundId, call: Call) -> OutboundDetail:
    """Get one text, with every call that was made for it and every change of its status."""
    return await call.database.read(_read_detail, id)


@reading.get("/{id}/recipients", responses=LINK_HEADER)
async def list_recipients(
    id: OutboundId, call: Call, query: Annotated[ListQuery, Query()]
) -> Page[Recipient]:
    """List the recipients of a list or group, as far as the provider has told of them.

    For a text to a number these are its parts.
    """
    return await answer_list(call, query, partial(_read_recipients, id), Recipient.model_validate)


@queueing.post(
    "",
    status_code=202,
    response_model=QueuedTexts,
    responses={202: {"headers": REPLAYED_HEADER}},
    openapi_extra=ONCE_PARAMETER,
)
async def send_text(body: OutboundCreate, call: Call) -> Response:
    """Queue a text for one number or up to 100, or for a list or group: all of it or nothing.

    Where a number is off or has opted out, 422 names each such number and nothing is queued.
    """
    call.runtime.get_provider()
    wanted = body.make_request()
    key = find_key(call.request)
    done = await compose_once(
        call.database,
        wanted,
        None if key is None else IdempotencyKey(call.caller.owner, key, digest_request(wanted)),
        show_queued,
        who=call.actor,
        region=call.region,
        zone=call.runtime.settings.zone,
        now=call.now,
    )
    if done.is_replayed:
        return JSONResponse(done.answer, 202, REPLAYED)
    call.runtime.announce_texts()
    return JSONResponse(done.answer, 202)


@acting.post("/{id}/cancel")
async def cancel_outbound(id: OutboundId, call: Call, if_match: IfMatch) -> Outbound:
    """Cancel a text that is waiting here or scheduled at the provider.

    409 says why it can no longer be cancelled; cancelling twice changes nothing. Without the
    scope `messages:read` the `body` is empty.
    """
    await if_match.check_read(lambda: call.database.read(_read_detail, id))
    found = await cancel_text(
        call.database, call.runtime.get_provider, id, who=call.actor, now=call.now
    )
    return _show_changed(call, found)


@acting.post("/{id}/attend")
async def attend_outbound(id: OutboundId, call: Call, if_match: IfMatch) -> Outbound:
    """Mark a failed text to a list or group as dealt with: it needs no attention any more.

    Marking it twice changes nothing. 409 for a text that has not failed, and for one to a number,
    which is dealt with once its conversation is `done`. Without the scope `messages:read` the
    `body` is empty.
    """
    await if_match.check_read(lambda: call.database.read(_read_detail, id))
    return _show_changed(call, await attend_text(call.database, id, who=call.actor, now=call.now))


@acting.patch("/{id}")
async def change_outbound(
    id: OutboundId, body: OutboundChanges, call: Call, if_match: IfMatch
) -> OutboundDetail:
    """Change what a waiting text says, or when it goes out; its parts are counted anew.

    409 says why it can no longer be changed: it is being sent, or the provider has it. Without the
    scope `messages:read` the `body` is empty.
    """
    await change_text(
        call.database,
        id,
        body.make_changes(),
        check=lambda conn: if_match.check(_read_detail(conn, id)),
        who=call.actor,
        zone=call.runtime.settings.zone,
        now=call.now,
    )
    call.runtime.announce_texts()
    shown = await call.database.read(_read_detail, id)
    if not call.caller.may("messages:read"):
        shown.body = ""
    return shown


@acting.post("/{id}/resolve")
async def resolve_outbound(
    id: OutboundId, body: Resolution, call: Call, if_match: IfMatch
) -> Outbound:
    """Say what became of an uncertain text, as the provider's Messages report shows it.

    `sent` ends the doubt, `resend` sends it again, `failed` gives it up.
    """
    await if_match.check_read(lambda: call.database.read(_read_detail, id))
    found = await resolve_text(call.database, id, **body.model_dump(), who=call.actor, now=call.now)
    return _show_changed(call, found)


def _show_changed(call: CallContext, found: texts.OutboundText) -> Outbound:
    """A text that someone else may have written, or that quotes an incoming text."""
    call.runtime.announce_texts()
    shown = Outbound.model_validate(found)
    if not call.caller.may("messages:read"):
        shown.body = ""
    return shown


def _read_detail(conn: Connection, number: int) -> OutboundDetail:
    found = texts.get_outbound(conn, number)
    return show_detail(found, texts.read_history(conn, number))


def _read_recipients(
    number: int, conn: Connection, *, before: int | None, limit: int
) -> Sequence[texts.Recipient]:
    texts.get_outbound(conn, number)
    return texts.list_recipients(conn, number, before=before, limit=limit)
