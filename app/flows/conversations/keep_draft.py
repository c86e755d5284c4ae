"""Keeps what somebody is writing: leaving loses nothing, and others see that they write."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from app.storage.conversations import drafts
from app.storage.db.database import Connection, Database

# Somebody whose draft was saved within this time is writing.
FRESH = timedelta(seconds=15)


async def keep_draft(
    database: Database,
    conversation_id: int,
    owner: str,
    fields: Mapping[str, str],
    *,
    now: datetime,
) -> bool:
    """Replace the owner's draft there, or delete it if no field is filled in.

    Returns whether they began or ended writing: whoever has the conversation open should know.
    """
    return await database.write(_keep, conversation_id, owner, fields, now)


async def forget_draft(database: Database, conversation_id: int, owner: str) -> bool:
    """Its text was sent. Returns whether there was a draft."""
    return await database.write(drafts.remove_draft, conversation_id, owner)


def _keep(
    conn: Connection, conversation_id: int, owner: str, fields: Mapping[str, str], now: datetime
) -> bool:
    if not fields:
        return drafts.remove_draft(conn, conversation_id, owner)
    saved_at = drafts.save_draft(conn, conversation_id, owner, fields, now)
    return saved_at is None or saved_at <= now - FRESH
