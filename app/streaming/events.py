"""Server-Sent Events of what changes, to programs and to open pages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, suppress

import anyio
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from app.domain.errors import AccessDenied, Unavailable
from app.domain.ids import encode_id
from app.flows.operations.changes import Change, Note, Render
from app.flows.operations.event_stream import STREAMED, EventTail, Follower

KEEP_ALIVE_SECONDS = 15
RECHECK_SECONDS = 30.0
SEND_TIMEOUT_SECONDS = 30.0
# Between the server's wish to end and the connection being cut.
GRACE_SECONDS = 2.0
LINE_END = "\n"

log = structlog.get_logger("letterbox.events")


# The events that a change is streamed as: each with its name and data.
Present = Callable[[Change], Iterable[tuple[str, str]]]


def show_objects(render: Render, names: Mapping[str, str] = STREAMED) -> Present:
    """One event for each change whose kind has a name, with the text that `render` makes of it."""

    def present(change: Change) -> Iterable[tuple[str, str]]:
        name = change.kind if isinstance(change.subject, Note) else names.get(change.kind)
        return () if name is None else ((name, change.write(render)),)

    return present


class EventStream(EventSourceResponse):
    """The changes after an event (None: from now on), as `present` shows them.

    `check` is called every `recheck_seconds`; when it raises AccessDenied the stream ends. A client
    that stopped reading is dropped without an error in the log: it reconnects by itself.
    """

    def __init__(
        self,
        tail: EventTail,
        present: Present,
        *,
        after: int | None,
        check: Callable[[], Awaitable[object]],
        ping: Callable[[], ServerSentEvent],
        recheck_seconds: float,
        takes_notes: bool = False,
    ) -> None:
        follower = tail.make_follower(takes_notes=takes_notes)
        closing = anyio.Event()
        super().__init__(
            _write_events(follower, after, present),
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
    follower: Follower, after: int | None, present: Present
) -> AsyncIterator[ServerSentEvent]:
    with suppress(Unavailable):  # the client comes back with the id it has
        async with aclosing(follower.follow(after)) as changes:
            async for change in changes:
                events = list(present(change))
                for left, (name, text) in enumerate(events, 1 - len(events)):
                    # A note is no event: nobody resumes after it. A client that ends between two
                    # of a change gets all of them again.
                    is_last = not left and not isinstance(change.subject, Note)
                    place = encode_id("evt", change.id) if is_last else None
                    yield ServerSentEvent(text, event=name, id=place, sep=LINE_END)


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
