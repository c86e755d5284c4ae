"""What people see and do in a thread besides its texts: places, authors, what is read."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, case, select, update

from app.domain.ids import LAST_ID
from app.storage.conversations.conversations import Conversation
from app.storage.inbound.search import get_message
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound, status_changes

# As many texts as an opened conversation marks as read at once; the others when it is next opened.
MOST_READ = 500


def find_place(conn: Connection, conversation: Conversation, message_id: int) -> tuple[int, int]:
    """The `before` of a page whose newest text that came in is that message. Raises NotFound."""
    arrived_at = get_message(conn, message_id).arrived_at
    later = (
        select(outbound.c.id)
        .where(outbound.c.conversation_id == conversation.id, outbound.c.created_at > arrived_at)
        .order_by(outbound.c.id)
        .limit(1)
    )
    return message_id + 1, conn.execute(later).scalar() or LAST_ID


def list_authors(conn: Connection, outbound_ids: Sequence[int]) -> dict[int, str]:
    """Who wrote each text, as the first line of its history names them."""
    table = status_changes.c
    query = (
        select(table.outbound_id, table.source)
        .where(table.outbound_id.in_(outbound_ids), table.status == "queued")
        .order_by(table.id.desc())
    )
    return dict(conn.execute(query).all()) if outbound_ids else {}


def mark_conversation_read(
    conn: Connection, conversation_id: int, *, up_to: int, now: datetime
) -> int:
    """Note that somebody has seen its texts up to that message; returns how many were unread.

    Messages are locked before the conversation, as `mark_read` does, and in one order for all.
    """
    index = message_index.c
    unread = (
        select(index.message_id)
        .where(index.conversation_id == conversation_id, index.message_id <= up_to, index.unread)
        .order_by(index.message_id.desc())
        .limit(MOST_READ)
    )
    ids = conn.execute(unread).scalars().all()
    locked = select(messages.c.id).where(messages.c.id.in_(ids), messages.c.read_at.is_(None))
    marked = conn.execute(locked.order_by(messages.c.id).with_for_update()).scalars().all()
    if not marked:
        return 0
    conn.execute(update(messages).where(messages.c.id.in_(marked)).values(read_at=now))
    conn.execute(update(message_index).where(index.message_id.in_(marked)).values(unread=False))
    left = conversations.c.unread - len(marked)
    conn.execute(
        update(conversations)
        .where(conversations.c.id == conversation_id)
        .values(unread=case((left > 0, left), else_=0))
    )
    return len(marked)
