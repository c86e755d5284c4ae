"""/events: what changes, as Server-Sent Events."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.api.core.calls import Call
from app.api.core.enums import EventFormat
from app.api.core.keyring import get_keyring
from app.api.core.routing import make_router
from app.api.webhooks.subjects import render_subject
from app.domain.access.credentials import Scope
from app.domain.errors import NotFound
from app.domain.ids import decode_id
from app.flows.operations.changes import Change
from app.flows.operations.event_stream import READY, RESET
from app.flows.webhooks.payloads import make_payloads
from app.streaming.events import LINE_END, EventStream, Present, show_objects

SCOPE: Scope = "messages:read"

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


class Ping(ServerSentEvent):
    """A comment without the blank line that would end an event.

    Once they have seen an id, httpx-sse and r3labs/sse make an empty event of a blank line.
    """

    def encode(self) -> bytes:
        return b":" + LINE_END.encode()


def show_payloads(change: Change) -> Iterator[tuple[str, str]]:
    """What webhooks are sent of a change: the type and the body of each."""
    if change.kind in {READY, RESET}:
        yield change.kind, "{}"
    for payload in make_payloads(change, render_subject):
        yield payload.type, payload.body


# By the parameter `format`, what a stream shows of a change.
FORMATS: dict[EventFormat, Present] = {
    "object": show_objects(render_subject),
    "webhook": show_payloads,
}

router = make_router("/events", SCOPE)


@router.get("", response_class=EventSourceResponse, responses=RESPONSES)
async def stream_events(
    call: Call,
    last_event_id: Annotated[
        str | None, Header(description="the last `id` that was seen; resumes for 7 days")
    ] = None,
    format: Annotated[
        EventFormat, Query(description="`webhook`: events as webhooks are sent them")
    ] = "object",
) -> EventStream:
    """Stream events, whose data is the object as its list shows it.

    `message`: a text came in. `outbound`: one is to go out. `status`: what became of it has
    changed. `alert`: one was opened or closed.

    Without `Last-Event-ID` the stream begins now, with an event `ready` whose data is `{}`.
    Where events after that id are gone, an event `reset` with `{}` says so, and the stream goes
    on from now: read the lists again. Comments keep the connection open.

    With `format=webhook` an event is named by its type, such as `message.received`, and its data is
    the body that webhooks are sent; a change may be several events, of which the last has the id.
    """

    async def check_key() -> None:
        caller = await get_keyring(call.request).find(call.request)
        caller.check(SCOPE)

    return EventStream(
        call.runtime.events,
        FORMATS[format],
        after=_read_place(last_event_id),
        check=check_key,
        ping=Ping,
        recheck_seconds=call.request.app.state.recheck_seconds,
    )


def _read_place(text: str | None) -> int | None:
    """The event's number; one that no event ever had for an id that is none of ours."""
    if not text:
        return None
    try:
        return decode_id("evt", text)
    except NotFound:
        return -1
