"""/events: what changes, as Server-Sent Events."""

from typing import Annotated, Any

from fastapi import Header
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.api.core.calls import Call
from app.api.core.keyring import get_keyring
from app.api.core.routing import make_router
from app.api.core.schemas import Message, Shown
from app.api.operations.alerts import Alert
from app.api.outbound.schemas import Outbound
from app.domain.access.credentials import Scope
from app.domain.errors import NotFound
from app.domain.ids import decode_id
from app.flows.operations.event_stream import PUBLISHED, Subject
from app.http.events import LINE_END, EventStream
from app.storage.inbound import search
from app.storage.operations import alerts
from app.storage.outbound.texts import OutboundText

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


SHOWN: dict[type[Subject], type[Shown]] = {
    search.Message: Message,
    OutboundText: Outbound,
    alerts.Alert: Alert,
}


def render_subject(subject: Subject) -> str:
    """The REST object of a message, a text that goes out or an alert, as JSON."""
    return SHOWN[type(subject)].model_validate(subject).model_dump_json()


router = make_router("/events", SCOPE)


@router.get("", response_class=EventSourceResponse, responses=RESPONSES)
async def stream_events(
    call: Call,
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

    async def check_key() -> None:
        caller = await get_keyring(call.request).find(call.request)
        caller.check(SCOPE)

    return EventStream(
        call.runtime.events,
        render_subject,
        after=_read_place(last_event_id),
        check=check_key,
        ping=Ping,
        recheck_seconds=call.request.app.state.recheck_seconds,
        kinds=PUBLISHED,
    )


def _read_place(text: str | None) -> int | None:
    """The event's number; one that no event ever had for an id that is none of ours."""
    if not text:
        return None
    try:
        return decode_id("evt", text)
    except NotFound:
        return -1
