"""Marks texts as read or unread: one of them, or what somebody has seen of a conversation."""

from collections.abc import Sequence
from datetime import datetime

from app.storage.db.database import Database
from app.storage.inbound import read_marks
from app.storage.inbound.search import Message


async def mark_read(database: Database, message_id: int, *, now: datetime) -> Message:
    """Again changes nothing. Raises NotFound."""
    return await database.write(read_marks.mark_read, message_id, now)


async def mark_unread(database: Database, message_id: int) -> Message:
    """Again changes nothing; nor where it was never handled. Raises NotFound."""
    return await database.write(read_marks.mark_unread, message_id)


async def mark_seen(database: Database, message_ids: Sequence[int], *, now: datetime) -> int:
    """The texts that a page shows; returns how many of them were unread."""
    return await database.write(read_marks.mark_all_read, message_ids, now)
