"""The views of the inbox: which conversations each shows, and how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.places import TimePlace
from app.storage.conversations.conversation_lists import (
    ConversationFilter,
    count_conversations,
    list_conversations,
)
from app.storage.conversations.conversations import Conversation
from app.storage.db.database import Connection
from app.storage.outbound.batches import Batch, list_batches


@dataclass(frozen=True, slots=True)
class View:
    """`wanted` is None where it does not show conversations by a filter; `none` stands where it is
    empty. Only what somebody has to deal with is counted.
    """

    key: str
    label: str
    wanted: ConversationFilter | None
    none: tuple[str, str]
    is_counted: bool = False
    is_mine: bool = False


VIEWS: Mapping[str, View] = {
    each.key: each
    for each in (
        View(
            "",
            "Open",
            ConversationFilter(state="open"),
            ("Nothing open", "Texts appear here as soon as the provider forwards them."),
        ),
        View(
            "answer",
            "Needs answer",
            ConversationFilter(is_waiting=True),
            ("All answered", "Whoever texts and waits for an answer appears here."),
            is_counted=True,
        ),
        View(
            "attention",
            "Needs attention",
            ConversationFilter(needs="attention"),
            ("Nothing to look at", "Texts that failed, are held or uncertain appear here."),
            is_counted=True,
        ),
        View(
            "mine",
            "Mine",
            ConversationFilter(state="open"),
            ("Nothing is assigned to you", "Conversations assigned to you appear here."),
            is_counted=True,
            is_mine=True,
        ),
        View(
            "unassigned",
            "Unassigned",
            ConversationFilter(state="open", is_assigned=False),
            ("All assigned", "Open conversations of nobody appear here."),
        ),
        View(
            "unread",
            "Unread",
            ConversationFilter(unread=True),
            ("All read", "New texts appear here."),
            is_counted=True,
        ),
        View(
            "done",
            "Done",
            ConversationFilter(state="done", origin="received"),
            ("Nothing done yet", "A conversation marked as done reopens with its next text."),
        ),
        View("sent", "Sent", None, ("Nothing sent", "Texts that nobody has answered appear here.")),
        View(
            "all",
            "All",
            ConversationFilter(origin="received"),
            ("No texts yet", "Texts appear here as soon as the provider forwards them."),
        ),
        View("problems", "With problems", None, ("No problems", "No received text had a problem.")),
    )
}


def make_filter(view: View, *, dest: str | None, member_id: int) -> ConversationFilter | None:
    """What a member sees in a view of conversations, of one of our numbers or of all."""
    if view.wanted is None:
        return None
    mine = member_id if view.is_mine else view.wanted.assigned_to
    return replace(view.wanted, dest=dest, assigned_to=mine)


def count_views(conn: Connection, *, dest: str | None, member_id: int) -> dict[str, int]:
    """How many conversations the counted views have, by key."""
    counts = {}
    for view in VIEWS.values():
        wanted = make_filter(view, dest=dest, member_id=member_id)
        if view.is_counted and wanted is not None:
            counts[view.key] = count_conversations(conn, wanted)
    return counts


@dataclass(frozen=True, slots=True)
class SentPage:
    """What only we wrote, newest first: a send to many is one entry, its batch."""

    entries: Sequence[Conversation | Batch]
    next: TimePlace | None


def list_sent(
    conn: Connection, *, dest: str | None, before: TimePlace | None, limit: int
) -> SentPage:
    """A page of it; both lists are read from the same place on."""
    wanted = ConversationFilter(dest=dest, origin="sent")
    alone = list_conversations(conn, wanted, before=before, limit=limit)
    many = list_batches(conn, before=before, limit=limit)
    batches = [each for each in many.batches if dest is None or each.source == dest]
    found: list[Conversation | Batch] = [*alone.conversations, *batches]
    found.sort(key=_find_place, reverse=True)
    entries = found[:limit]
    is_end = len(found) == len(entries) and alone.next is None and many.next is None
    if is_end:
        return SentPage(entries, None)
    # Without an entry of that number, the batches that were looked at say where to go on.
    return SentPage(entries, _find_place(entries[-1]) if entries else many.next)


def _find_place(entry: Conversation | Batch) -> TimePlace:
    at = entry.updated_at if isinstance(entry, Conversation) else entry.created_at
    return at, entry.id
