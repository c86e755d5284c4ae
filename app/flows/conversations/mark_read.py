"""Marks texts as read: one of them, or what somebody has seen of a conversation."""

from datetime import datetime

from app.storage.conversations import threads
from app.storage.db.database import Database
from app.storage.inbound import read_marks
from app.storage.inbound.search import Message


async def mark_read(database: Database, message_id: int, *, now: datetime) -> Message:
    """Again changes nothing. Raises NotFound."""
    return await database.write(read_marks.mark_read, message_id, now)


async def mark_seen(database: Database, conversation_id: int, *, up_to: int, now: datetime) -> None:
    """All texts of a conversation up to that message."""
    await database.write(threads.mark_conversation_read, conversation_id, up_to=up_to, now=now)
