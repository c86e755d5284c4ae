"""The inbox: every conversation, the one with the newest text first."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import Response
from starlette.routing import Route

from app.storage.conversations import Conversation, list_conversations
from app.web.site import Site, Visit

PAGE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of the inbox; `older` is the address's part by which the next one begins."""

    conversations: list[Conversation]
    older: str | None


def make_inbox_routes(site: Site) -> list[Route]:
    return [site.get("/", show_inbox)]


async def show_inbox(visit: Visit) -> Response:
    """The conversations, newest first."""
    page = await visit.database.read(
        list_conversations, before=_read_place(visit.query.text("before")), limit=PAGE
    )
    older = None if page.next is None else _write_place(page.next)
    return visit.render("inbox.html", rows=Rows(page.conversations, older))


def _write_place(place: tuple[datetime, int]) -> str:
    return f"{(place[0] - _EPOCH) // _MICROSECOND}-{place[1]}"


def _read_place(text: str) -> tuple[datetime, int] | None:
    """None, which is the newest page, for whatever `_write_place` did not make."""
    time, _, number = text.partition("-")
    try:
        return _EPOCH + int(time) * _MICROSECOND, int(number)
    except (ValueError, OverflowError):
        return None
