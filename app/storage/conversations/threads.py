"""What a thread shows besides its texts: a message's page, authors, what is read."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from app.domain.ids import LAST_ID
from app.storage.conversations.conversations import Conversation
from app.storage.inbound.read_marks import mark_all_read
from app.storage.inbound.search import get_message
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound, status_changes

# Opening a conversation marks at most this many texts as read; opening it again marks the others.
MOST_READ = 500


def find_place(conn: Connection, conversation: Conversation, message_id: int) -> tuple[int, int]:
    """The `before` of the page whose newest message is this one. Raises NotFound."""
    arrived_at = get_message(conn, message_id).arrived_at
    later = (
        select(outbound.c.id)
        .where(outbound.c.conversation_id == conversation.id, outbound.c.created_at > arrived_at)
        .order_by(outbound.c.id)
        .limit(1)
    )
    return message_id + 1, conn.execute(later).scalar() or LAST_ID


def find_sent_place(
    conn: Connection, conversation: Conversation, outbound_id: int
) -> tuple[int, int] | None:
    """The `before` of the page whose newest text of ours is this one; None if it has none such."""
    mine = outbound.c.id == outbound_id, outbound.c.conversation_id == conversation.id
    created_at = conn.execute(select(outbound.c.created_at).where(*mine)).scalar()
    if created_at is None:
        return None
    later = (
        select(messages.c.id)
        .join(message_index, message_index.c.message_id == messages.c.id)
        .where(message_index.c.conversation_id == conversation.id)
        .where(messages.c.arrived_at > created_at)
        .order_by(message_index.c.message_id)
        .limit(1)
    )
    return conn.execute(later).scalar() or LAST_ID, outbound_id + 1


def list_authors(conn: Connection, outbound_ids: Sequence[int]) -> dict[int, str]:
    """Who wrote each text, from the first line of its history."""
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
    """Mark its texts up to that message as read; returns how many were unread."""
    index = message_index.c
    unread = (
        select(index.message_id)
        .where(index.conversation_id == conversation_id, index.message_id <= up_to, index.unread)
        .order_by(index.message_id.desc())
        .limit(MOST_READ)
    )
    return mark_all_read(conn, conn.execute(unread).scalars().all(), now)
