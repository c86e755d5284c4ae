"""What a view of the inbox shows, as CSV."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from starlette.responses import Response
from starlette.routing import Route

from app.domain.csv_safety import Cell
from app.domain.inbound.queries import fold_words
from app.domain.places import TimePlace
from app.storage.conversations.conversation_lists import ConversationFilter, list_conversations
from app.storage.conversations.conversations import Conversation
from app.storage.outbound.batches import Batch
from app.web.conversations.inbox import read_wanted
from app.web.conversations.views import VIEWS, list_sent, make_filter
from app.web.core.lists import EXPORT_ROWS, answer_csv
from app.web.core.rendering.renderer import write_iso
from app.web.core.site import Site, Visit

HEADINGS = (
    "conversation", "name", "number", "our_number", "state", "needs", "assigned_to", "unread",
    "updated_at", "last_received", "last_received_at", "last_sent", "last_sent_at",
    "last_sent_status",
)  # fmt: skip


def make_inbox_csv_routes(site: Site) -> list[Route]:
    return [site.get("/inbox/csv", save_view)]


async def save_view(visit: Visit) -> Response:
    """All rows of the view that the address names, with its search and number."""
    wanted = read_wanted(visit.query, visit.region)
    view = VIEWS[wanted.view]
    listed = make_filter(view, dest=wanted.number, member_id=visit.member.id)
    if wanted.q:
        listed = ConversationFilter(dest=wanted.number, words=fold_words(wanted.q))

    async def read_page(before: TimePlace | None) -> tuple[Sequence[Entry], TimePlace | None]:
        limit = EXPORT_ROWS
        if listed is None:
            sent = await visit.database.read(
                list_sent, dest=wanted.number, before=before, limit=limit
            )
            return sent.entries, sent.next
        page = await visit.database.read(list_conversations, listed, before=before, limit=limit)
        return page.conversations, page.next

    async def read_all() -> AsyncIterator[Sequence[Entry]]:
        place: TimePlace | None = None
        while True:
            entries, place = await read_page(place)
            yield entries
            if place is None:
                return

    def make_row(entry: Entry) -> Sequence[Cell]:
        if isinstance(entry, Batch):
            return _make_batch_row(entry)
        return _make_row(entry, visit.member_names.get(entry.assigned_to or 0, ""))

    return await answer_csv(visit, f"inbox-{view.key or 'open'}", HEADINGS, read_all(), make_row)


Entry = Conversation | Batch


def _make_row(each: Conversation, member: str) -> Sequence[Cell]:
    received, sent = each.last_message, each.last_outbound
    return (
        str(each.id), each.name, each.source, each.dest, each.state, each.needs or "", member,
        str(each.unread), write_iso(each.updated_at),
        received.body if received else "", _write(received.arrived_at if received else None),
        sent.body if sent else "", _write(sent.created_at if sent else None),
        sent.status if sent else "",
    )  # fmt: skip


def _make_batch_row(each: Batch) -> Sequence[Cell]:
    """A batch has no single number and no state of a conversation."""
    name = each.name or f"batch of {each.wanted}"
    at = write_iso(each.created_at)
    nothing = ("",) * 3
    sent = (each.body or "", at, each.state)
    return ("", name, "", each.source or "", *nothing, "0", at, "", "", *sent)


def _write(at: datetime | None) -> str:
    return "" if at is None else write_iso(at)
