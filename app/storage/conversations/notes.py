"""Notes in a conversation, which members write to each other and which are never sent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from app.storage.tables.conversations import conversation_notes


@dataclass(frozen=True, slots=True)
class Note:
    """`author` is as the audit trail names them."""

    id: int
    conversation_id: int
    author: str
    body: str
    created_at: datetime


def add_note(conn: Connection, conversation_id: int, author: str, body: str, now: datetime) -> Note:
    values = {
        "conversation_id": conversation_id,
        "author": author,
        "body": body,
        "created_at": now,
    }
    added = insert(conversation_notes).values(values).returning(*conversation_notes.c)
    return Note(*conn.execute(added).one())


def list_notes(
    conn: Connection, conversation_id: int, *, before: int | None, limit: int
) -> list[Note]:
    """Newest first."""
    table = conversation_notes.c
    query = select(conversation_notes).where(table.conversation_id == conversation_id)
    if before is not None:
        query = query.where(table.id < before)
    return [Note(*row) for row in conn.execute(query.order_by(table.id.desc()).limit(limit))]
