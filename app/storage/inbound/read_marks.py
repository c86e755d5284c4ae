"""Marks messages as read, or as unread again."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, case, select, update

from app.storage.inbound.search import Message, get_message
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages


def mark_read(conn: Connection, message_id: int, now: datetime) -> Message:
    """Mark a message as read, if it is not already. Raises NotFound."""
    mark_all_read(conn, [message_id], now)
    return get_message(conn, message_id)


def mark_unread(conn: Connection, message_id: int) -> Message:
    """Mark a message as unread, if it is not already. Raises NotFound."""
    index = message_index.c
    found = get_message(conn, message_id)
    if found.conversation_id is None or found.read_at is None:
        return found
    mine = conversations.c.id == found.conversation_id
    conn.execute(select(conversations.c.id).where(mine).with_for_update())
    was_read = messages.c.read_at.is_not(None)
    marked = update(messages).where(messages.c.id == message_id, was_read).values(read_at=None)
    if conn.execute(marked).rowcount:
        indexed = update(message_index).where(index.message_id == message_id)
        conn.execute(indexed.values(unread=True))
        counted = update(conversations).where(mine)
        conn.execute(counted.values(unread=conversations.c.unread + 1))
    return get_message(conn, message_id)


def mark_all_read(conn: Connection, ids: Sequence[int], now: datetime) -> int:
    """Mark messages as read; returns how many were unread.

    Conversations are locked before their messages, as handling does, each in the order of ids.
    """
    index = message_index.c
    of_unread = select(index.conversation_id).where(index.message_id.in_(ids), index.unread)
    conn.execute(
        select(conversations.c.id)
        .where(conversations.c.id.in_(of_unread))
        .order_by(conversations.c.id)
        .with_for_update()
    )
    unread = select(messages.c.id).where(messages.c.id.in_(ids), messages.c.read_at.is_(None))
    marked = conn.execute(unread.order_by(messages.c.id).with_for_update()).scalars().all()
    if not marked:
        return 0
    conn.execute(update(messages).where(messages.c.id.in_(marked)).values(read_at=now))
    indexed = update(message_index).where(index.message_id.in_(marked)).values(unread=False)
    counts = Counter(conn.execute(indexed.returning(index.conversation_id)).scalars())
    for conversation_id, count in sorted(counts.items()):
        left = conversations.c.unread - count
        conn.execute(
            update(conversations)
            .where(conversations.c.id == conversation_id)
            .values(unread=case((left > 0, left), else_=0))
        )
    return len(marked)
