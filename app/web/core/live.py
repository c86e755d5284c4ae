"""/live: tells open pages that something changed; what it is they ask for themselves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import anyio
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.domain.errors import Unavailable
from app.flows.operations.event_stream import EventTail, Follower
from app.web.core.site import Site, Visit

KEEP_ALIVE_SECONDS = 15
RECHECK_SECONDS = 30.0
SEND_TIMEOUT_SECONDS = 30.0
# Between the server's wish to end and the connection being cut.
GRACE_SECONDS = 2.0
LINE_END = "\n"

log = structlog.get_logger("letterbox.web")


class LiveStream(EventSourceResponse):
    """A browser that stopped reading is let go without a word: it comes back by itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


def render_change(subject: object) -> str:
    """The numbers that a change is about: a page that shows neither need not look again."""
    names = ("source", "dest", "to")
    found = {getattr(subject, name, None) for name in names} - {None}
    return json.dumps(sorted(str(each) for each in found))


def make_live_routes(
    site: Site, tail: EventTail, *, recheck_seconds: float = RECHECK_SECONDS
) -> list[Route]:
    """`recheck_seconds` is how long a stream outlives its session at most."""

    async def stream(visit: Visit) -> Response:
        follower = tail.make_follower()
        closing = anyio.Event()
        return LiveStream(
            _write_changes(follower),
            ping=KEEP_ALIVE_SECONDS,
            # An event, because scripts do not receive comments.
            ping_message_factory=lambda: ServerSentEvent("[]", event="ping", sep=LINE_END),
            sep=LINE_END,
            send_timeout=SEND_TIMEOUT_SECONDS,
            shutdown_event=closing,
            shutdown_grace_period=GRACE_SECONDS,
            data_sender_callable=lambda: _watch(
                site, visit.request, follower, closing, recheck_seconds
            ),
        )

    return [site.get("/live", stream)]


async def _write_changes(follower: Follower) -> AsyncIterator[ServerSentEvent]:
    """Begins with `ready`, upon which a page looks once: something may have come in between."""
    with suppress(Unavailable):
        async with aclosing(follower.follow(None)) as changes:
            async for change in changes:
                yield ServerSentEvent(change.text, event=change.kind, sep=LINE_END)


async def _watch(
    site: Site, request: Request, follower: Follower, closing: anyio.Event, seconds: float
) -> None:
    """End the stream where the server closes or the session has ended."""
    while not closing.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await closing.wait()
                break
        try:
            if await site.find_session(request) is None:
                log.info("live_ended", reason="the session has ended")
                break
        except Unavailable:
            continue
    follower.end()
