"""/unread: what a script shows of unread texts in the title, the icon and notifications."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.domain.numbers import write_number
from app.storage.conversations.conversations import get_conversations
from app.storage.conversations.inbox import count_unread, find_newest_id, list_unread_after
from app.storage.db.database import Connection
from app.web.core.rendering.assets import MOST_ON_ICON
from app.web.core.rendering.highlighting import write_summary
from app.web.core.site import Site, Visit

# One notification tells of them all.
MOST_TEXTS = 20


def make_unread_routes(site: Site) -> list[Route]:
    return [site.get("/unread", show_unread)]


async def show_unread(visit: Visit) -> Response:
    """How many conversations have unread texts, and those that came after the message `after`."""
    after = visit.query.number("after")
    unread, newest, texts = await visit.database.read(_read, after)
    shown = [{**text, "path": f"{visit.site.root}{text['path']}"} for text in texts]
    return JSONResponse({"unread": unread, "newest": newest, "texts": shown})


def _read(conn: Connection, after: int | None) -> tuple[int, int, Sequence[Mapping[str, Any]]]:
    texts = [] if after is None else list_unread_after(conn, after, limit=MOST_TEXTS)
    ids = {each.conversation_id for each in texts if each.conversation_id}
    names = {each.id: each.name for each in get_conversations(conn, list(ids))}
    shown = [
        {
            "path": f"/conversations/{each.conversation_id}?at={each.id}#m{each.id}",
            "conversation": each.conversation_id,
            "name": names.get(each.conversation_id or 0) or write_number(each.source),
            "body": write_summary(each.body),
        }
        for each in texts
    ]
    return count_unread(conn, at_most=MOST_ON_ICON + 1), find_newest_id(conn), shown
