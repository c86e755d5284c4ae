"""Server-Sent Events of what changes, to programs and to open pages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing, suppress

import anyio
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from app.domain.errors import AccessDenied, Unavailable
from app.domain.ids import encode_id
from app.flows.operations.event_stream import KINDS, READY, RESET, EventTail, Follower, Note, Render

KEEP_ALIVE_SECONDS = 15
RECHECK_SECONDS = 30.0
SEND_TIMEOUT_SECONDS = 30.0
# Between the server's wish to end and the connection being cut.
GRACE_SECONDS = 2.0
LINE_END = "\n"

log = structlog.get_logger("letterbox.events")


class EventStream(EventSourceResponse):
    """The changes after an event (None: from now on), each with the text that `render` makes of it.

    Only those of `kinds`.

    `check` is called every `recheck_seconds`; when it raises AccessDenied the stream ends. A client
    that stopped reading is dropped without an error in the log: it reconnects by itself.
    """

    def __init__(
        self,
        tail: EventTail,
        render: Render,
        *,
        after: int | None,
        check: Callable[[], Awaitable[object]],
        ping: Callable[[], ServerSentEvent],
        recheck_seconds: float,
        kinds: Collection[str] = KINDS,
        takes_notes: bool = False,
    ) -> None:
        follower = tail.make_follower(takes_notes=takes_notes)
        closing = anyio.Event()
        super().__init__(
            _write_events(follower, after, render, {*kinds, READY, RESET}),
            ping=KEEP_ALIVE_SECONDS,
            ping_message_factory=ping,
            sep=LINE_END,
            send_timeout=SEND_TIMEOUT_SECONDS,
            shutdown_event=closing,
            shutdown_grace_period=GRACE_SECONDS,
            data_sender_callable=lambda: _watch(follower, closing, check, recheck_seconds),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


async def _write_events(
    follower: Follower, after: int | None, render: Render, kinds: Collection[str]
) -> AsyncIterator[ServerSentEvent]:
    with suppress(Unavailable):  # the client comes back with the id it has
        async with aclosing(follower.follow(after)) as changes:
            async for change in changes:
                if change.kind not in kinds and not isinstance(change.subject, Note):
                    continue
                text = change.write(render)
                # A note is no event: nobody resumes after it.
                place = None if isinstance(change.subject, Note) else encode_id("evt", change.id)
                yield ServerSentEvent(text, event=change.kind, id=place, sep=LINE_END)


async def _watch(
    follower: Follower,
    closing: anyio.Event,
    check: Callable[[], Awaitable[object]],
    seconds: float,
) -> None:
    """End the stream where the server closes or the client may see no more."""
    while not closing.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await closing.wait()
                break
        try:
            await check()
        except AccessDenied as error:
            log.info("stream_ended", reason=str(error))
            break
        except Unavailable:
            continue
    follower.end()
