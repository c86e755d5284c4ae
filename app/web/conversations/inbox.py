"""The inbox: conversations, newest first, and searches."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.routing import Route

from app.domain.inbound.queries import MessageFilter, fold_words
from app.domain.numbers import normalise_number
from app.domain.places import TimePlace, read_id_place, read_time_place
from app.flows.inbound.refused_forwards import REFUSED_FORWARD
from app.storage.conversations import inbox
from app.storage.conversations.conversation_lists import (
    MOST_COUNTED,
    ConversationFilter,
    list_conversations,
)
from app.storage.conversations.conversations import Conversation
from app.storage.db.database import Connection
from app.storage.inbound.search import Message, list_messages
from app.storage.operations.alerts import list_open_alerts
from app.storage.outbound.batches import Batch
from app.web.conversations.first_steps import list_first_steps
from app.web.conversations.search import Found, find
from app.web.conversations.views import VIEWS, count_views, list_sent, make_filter
from app.web.core.forms.form import Form
from app.web.core.lists import link_page, make_page
from app.web.core.obstacles import find_obstacle
from app.web.core.rendering.wording import explain_problem, explain_status
from app.web.core.site import Site, Visit

PAGE = 50
MAX_QUERY = 200
# In these views a search looks at their texts, else at everything.
IN_TEXTS = ("unread", "problems")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters: words, one of our numbers, and a view (a key of VIEWS)."""

    q: str
    number: str | None
    view: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What a page of the inbox shows; `following` is where the next one begins."""

    conversations: list[Conversation] = field(default_factory=list)
    texts: list[Message] = field(default_factory=list)
    sent: Sequence[Conversation | Batch] = ()
    following: int | tuple[int, int] | TimePlace | None = None
    found: Found | None = None


def make_inbox_routes(site: Site) -> list[Route]:
    return [site.get("/", show_inbox)]


async def show_inbox(visit: Visit) -> Response:
    """Conversations, newest first; for a search, people and texts."""
    query = visit.query
    region = visit.region
    wanted = read_wanted(query, region)
    before = query.text("before")
    member_id = visit.member.id
    rows, numbers = await visit.database.read(_read_rows, wanted, before, region, member_id)
    counts = await visit.database.read(count_views, dest=wanted.number, member_id=member_id)
    refused = await visit.database.read(list_open_alerts, REFUSED_FORWARD)
    return visit.render(
        "conversations/inbox.html",
        rows=rows,
        page=make_page(visit, (), rows.following),
        refused=refused,
        obstacle=await find_obstacle(visit),
        wanted=wanted,
        view=VIEWS[wanted.view],
        views=VIEWS.values(),
        counts=counts,
        most_counted=MOST_COUNTED,
        here=link_page(visit).removeprefix(visit.site.root),
        csv=link_page(visit, "/inbox/csv"),
        is_batch=lambda entry: isinstance(entry, Batch),
        numbers=numbers,
        labels={each.number: each.label for each in numbers},
        is_newest=not before,
        people_rows=inbox.PEOPLE_ROWS,
        explain_problem=explain_problem,
        explain_status=lambda text: explain_status(text, visit.now),
        words=fold_words(wanted.q),
        steps=[] if before or wanted.q or wanted.view else await list_first_steps(visit),
    )


def read_wanted(query: Form, region: str) -> Wanted:
    """The filters of an address; invalid ones are ignored."""
    view = query.text("view")
    number = normalise_number(query.text("number"), region)
    q = query.text("q").replace("\0", "")[:MAX_QUERY]
    return Wanted(q, number or None, view if view in VIEWS else "")


def read_newest(conn: Connection, region: str) -> tuple[Rows, Sequence[inbox.LabelledNumber]]:
    """The newest conversations, for the list beside an open one."""
    return _read_rows(conn, Wanted("", None, ""), "", region, 0)


def _read_rows(
    conn: Connection, wanted: Wanted, before: str, region: str, member_id: int
) -> tuple[Rows, Sequence[inbox.LabelledNumber]]:
    if wanted.q:
        rows = _search(conn, wanted, before, region)
    elif wanted.view == "problems":
        rows = _read_texts(conn, wanted, before)
    elif wanted.view == "sent":
        rows = _read_sent(conn, wanted, before)
    else:
        rows = _read_conversations(conn, wanted, before, member_id)
    return rows, inbox.list_our_numbers(conn)


def _read_conversations(conn: Connection, wanted: Wanted, before: str, member_id: int) -> Rows:
    listed = make_filter(VIEWS[wanted.view], dest=wanted.number, member_id=member_id)
    page = list_conversations(
        conn, listed or ConversationFilter(), before=read_time_place(before), limit=PAGE
    )
    return Rows(conversations=page.conversations, following=page.next)


def _read_sent(conn: Connection, wanted: Wanted, before: str) -> Rows:
    page = list_sent(conn, dest=wanted.number, before=read_time_place(before), limit=PAGE)
    return Rows(sent=page.entries, following=page.next)


def _search(conn: Connection, wanted: Wanted, before: str, region: str) -> Rows:
    if wanted.view in IN_TEXTS:
        return _read_texts(conn, wanted, before)
    found = find(conn, wanted.q, dest=wanted.number, before=before, region=region)
    return Rows(found=found, following=found.following)


def _read_texts(conn: Connection, wanted: Wanted, before: str) -> Rows:
    page = list_messages(
        conn,
        MessageFilter(
            dest=wanted.number,
            words=fold_words(wanted.q),
            unread=True if wanted.view == "unread" else None,
            has_problems=True if wanted.view == "problems" else None,
        ),
        before=read_id_place(before),
        limit=PAGE,
    )
    return Rows(texts=page.messages, following=page.next)
