"""/events: what changes, as Server-Sent Events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Annotated, Any

import anyio
import structlog
from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from app.api.core.dependencies import Keyring, make_router
from app.api.core.schemas import Message, Shown
from app.api.operations.alerts import Alert
from app.api.outbound.schemas import Outbound
from app.domain.access.credentials import Scope as KeyScope
from app.domain.errors import AccessDenied, NotFound, Unavailable
from app.domain.ids import decode_id, encode_id
from app.flows.operations.event_stream import Change, EventTail, Follower, Subject
from app.storage.inbound import search
from app.storage.operations import alerts
from app.storage.outbound.texts import OutboundText

SCOPE: KeyScope = "messages:read"
KEEP_ALIVE_SECONDS = 15
RECHECK_SECONDS = 30.0
SEND_TIMEOUT_SECONDS = 30.0
# Between the server's wish to end and the connection being cut.
GRACE_SECONDS = 2.0
LINE_END = "\n"

EXAMPLE = """id: evt_2k
event: message
data: {"id": "msg_1q", "source": "447700900123", "dest": "447700900100", "body": "Hello", ...}

"""
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream that does not end by itself",
        "content": {"text/event-stream": {"schema": {"type": "string", "examples": [EXAMPLE]}}},
    }
}

log = structlog.get_logger("letterbox.api")


class Ping(ServerSentEvent):
    """A comment without the blank line that would end an event.

    Once they have seen an id, httpx-sse and r3labs/sse make an empty event of a blank line.
    """

    def encode(self) -> bytes:
        return b":" + LINE_END.encode()


class EventStream(EventSourceResponse):
    """A client that stopped reading is let go without a word: it comes back by itself."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


SHOWN: dict[type[Subject], type[Shown]] = {
    search.Message: Message,
    OutboundText: Outbound,
    alerts.Alert: Alert,
}


def render_subject(subject: Subject) -> str:
    """The REST object of a message, a text that goes out or an alert, as JSON."""
    return SHOWN[type(subject)].model_validate(subject).model_dump_json()


def make_events_router(
    keyring: Keyring, tail: EventTail, *, recheck_seconds: float = RECHECK_SECONDS
) -> APIRouter:
    router = make_router(keyring, "/events", SCOPE)

    @router.get("", response_class=EventSourceResponse, responses=RESPONSES)
    async def stream_events(
        request: Request,
        last_event_id: Annotated[
            str | None, Header(description="the last `id` that was seen; resumes for 7 days")
        ] = None,
    ) -> EventStream:
        """Stream events, whose data is the object as its list shows it.

        `message`: a text came in. `outbound`: one is to go out. `status`: what became of it has
        changed. `alert`: one was opened or closed.

        Without `Last-Event-ID` the stream begins now, with an event `ready` whose data is `{}`.
        Where events after that id are gone, an event `reset` with `{}` says so, and the stream goes
        on from now: read the lists again. Comments keep the connection open.
        """
        after = _read_place(last_event_id)
        follower = tail.make_follower()
        closing = anyio.Event()

        async def check_key() -> None:
            caller = await keyring.find(request)
            caller.check(SCOPE)

        return EventStream(
            _write_events(follower, after),
            ping=KEEP_ALIVE_SECONDS,
            ping_message_factory=Ping,
            sep=LINE_END,
            send_timeout=SEND_TIMEOUT_SECONDS,
            shutdown_event=closing,
            shutdown_grace_period=GRACE_SECONDS,
            data_sender_callable=lambda: _watch(follower, closing, check_key, recheck_seconds),
        )

    return router


def _read_place(text: str | None) -> int | None:
    """The event's number; one that no event ever had for an id that is none of ours."""
    if not text:
        return None
    try:
        return decode_id("evt", text)
    except NotFound:
        return -1


async def _write_events(follower: Follower, after: int | None) -> AsyncIterator[ServerSentEvent]:
    with suppress(Unavailable):  # the client comes back with the id it has
        async with aclosing(follower.follow(after)) as changes:
            async for change in changes:
                yield _make_event(change)


def _make_event(change: Change) -> ServerSentEvent:
    place = encode_id("evt", change.id)
    return ServerSentEvent(change.text, event=change.kind, id=place, sep=LINE_END)


async def _watch(
    follower: Follower,
    closing: anyio.Event,
    check_key: Callable[[], Awaitable[None]],
    seconds: float,
) -> None:
    """End the stream where the server closes or the key has been revoked."""
    while not closing.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await closing.wait()
                break
        try:
            await check_key()
        except AccessDenied:
            log.info("stream_ended", reason="the key opens it no more")
            break
        except Unavailable:
            continue
    follower.end()
