"""Removes conversations in which nothing is left, with what somebody had begun to write there."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from app.storage.tables.conversations import conversations, drafts
from app.storage.tables.inbound import message_index
from app.storage.tables.outbound import outbound


def remove_empty_conversations(conn: Connection, ids: Sequence[int]) -> int:
    """Of these, those without any text of either side; returns how many."""
    table = conversations.c
    has_message = select(message_index.c.message_id).where(
        message_index.c.conversation_id == table.id
    )
    has_text = select(outbound.c.id).where(outbound.c.conversation_id == table.id)
    empty = delete(conversations).where(
        table.id.in_(ids),
        table.last_message_id.is_(None),
        ~has_message.exists(),
        ~has_text.exists(),
    )
    removed = conn.execute(empty.returning(table.id)).scalars().all()
    conn.execute(delete(drafts).where(drafts.c.conversation_id.in_(removed)))
    return len(removed)
