"""A conversation as one thread: the texts that came in and those that go out, merged by time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from app.storage.conversations import Conversation, list_thread
from app.storage.outbound_tables import outbound, status_changes
from app.storage.outbound_texts import OutboundText, list_sent_in
from app.storage.search import LAST_ID, Message, get_message
from app.storage.tables import conversations, message_index, messages

Entry = Message | OutboundText
# Below the ids of both kinds: what is above was shown already.
Place = tuple[int, int]

NEWEST: Place = (LAST_ID, LAST_ID)
# As many texts as an opened conversation marks as read at once; the others when it is next opened.
MOST_READ = 500


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """`next` is what the next page's `before` is; None at the end."""

    entries: list[Entry]
    next: Place | None


def read_thread(
    conn: Connection, conversation: Conversation, *, before: Place = NEWEST, limit: int
) -> ThreadPage:
    """Newest first: each direction in the order of its ids, one between the other by time."""
    came = list_thread(conn, conversation, before=before[0], limit=limit + 1).messages
    went = list_sent_in(conn, conversation.id, before=before[1], limit=limit + 1)
    merged = list(_merge(came, went))
    entries = merged[:limit]
    message_id, outbound_id = before
    for entry in entries:
        if isinstance(entry, Message):
            message_id = entry.id
        else:
            outbound_id = entry.id
    return ThreadPage(entries, (message_id, outbound_id) if len(merged) > limit else None)


def find_place(conn: Connection, conversation: Conversation, message_id: int) -> Place:
    """Where a page begins whose newest text that came in is that message. Raises NotFound."""
    arrived_at = get_message(conn, message_id).arrived_at
    later = (
        select(outbound.c.id)
        .where(outbound.c.conversation_id == conversation.id, outbound.c.created_at > arrived_at)
        .order_by(outbound.c.id)
        .limit(1)
    )
    return message_id + 1, conn.execute(later).scalar() or LAST_ID


def get_time(entry: Entry) -> datetime:
    """When it arrived here, or was written."""
    return entry.arrived_at if isinstance(entry, Message) else entry.created_at


def list_authors(conn: Connection, outbound_ids: Sequence[int]) -> dict[int, str]:
    """Who wrote each text, as the first line of its history names them."""
    table = status_changes.c
    query = (
        select(table.outbound_id, table.told_by)
        .where(table.outbound_id.in_(outbound_ids), table.status == "queued")
        .order_by(table.id.desc())
    )
    return dict(conn.execute(query).all()) if outbound_ids else {}


def mark_conversation_read(
    conn: Connection, conversation_id: int, *, up_to: int, now: datetime
) -> int:
    """Note that somebody has seen its texts up to that message; returns how many were unread."""
    index = message_index.c
    # The conversation's row is its lock, here as in the handle flow.
    conn.execute(
        select(conversations.c.id).where(conversations.c.id == conversation_id).with_for_update()
    )
    unread = (
        select(index.message_id)
        .where(index.conversation_id == conversation_id, index.message_id <= up_to, index.unread)
        .order_by(index.message_id.desc())
        .limit(MOST_READ)
    )
    ids = conn.execute(unread).scalars().all()
    if not ids:
        return 0
    marked = conn.execute(
        update(messages)
        .where(messages.c.id.in_(ids), messages.c.read_at.is_(None))
        .values(read_at=now)
    ).rowcount
    conn.execute(update(message_index).where(index.message_id.in_(ids)).values(unread=False))
    left = conversations.c.unread - marked
    conn.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id, conversations.c.unread >= marked)
        .values(unread=left)
    )
    return marked


def _merge(came: Sequence[Message], went: Sequence[OutboundText]) -> Iterator[Entry]:
    left, right = list(reversed(came)), list(reversed(went))
    while left and right:
        yield left.pop() if get_time(left[-1]) > get_time(right[-1]) else right.pop()
    yield from reversed(left)
    yield from reversed(right)
