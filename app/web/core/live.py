"""/live: tells open pages that something changed; they then fetch it themselves."""

import json

from sse_starlette import ServerSentEvent
from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import AccessDenied
from app.flows.operations.changes import Note
from app.flows.operations.event_stream import STREAMED_TO_PAGES
from app.streaming.events import LINE_END, EventStream, show_objects
from app.web.core.site import Site, Visit

# A member who is deactivated sees nothing more within this time; a look costs one short read.
RECHECK_SECONDS = 2.0


def render_change(subject: object) -> str:
    """The numbers that a change is about: a page that shows neither need not be refreshed."""
    if isinstance(subject, Note):
        return json.dumps(subject.about)
    names = ("source", "dest", "to")
    found = {getattr(subject, name, None) for name in names} - {None}
    return json.dumps(sorted(str(each) for each in found))


def make_live_routes(site: Site, *, recheck_seconds: float) -> list[Route]:
    """A stream ends within `recheck_seconds` of its session."""

    async def stream(visit: Visit) -> Response:
        """The first event is `ready`: the page then refreshes once, in case it missed a change."""

        async def check_session() -> None:
            if await site.find_session(visit.request) is None:
                raise AccessDenied("the session has ended")

        return EventStream(
            site.runtime.events,
            show_objects(render_change, STREAMED_TO_PAGES),
            after=None,
            check=check_session,
            # An event, because scripts do not receive comments.
            ping=lambda: ServerSentEvent("[]", event="ping", sep=LINE_END),
            recheck_seconds=recheck_seconds,
            takes_notes=True,
        )

    return [site.get("/live", stream)]
