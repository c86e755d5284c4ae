"""Handles stored messages, a moment behind the acknowledgement: conversations, search, counts."""

from datetime import datetime

from app.storage.database import Connection
from app.storage.events import add_events
from app.storage.handling import (
    claim_unhandled,
    count_messages,
    finish_handling,
    flag_reused_ids,
    index_messages,
    upsert_conversations,
)
from app.storage.text_search import add_bodies

BATCH_ROWS = 100


def handle_batch(conn: Connection, now: datetime, *, limit: int = BATCH_ROWS) -> int:
    """Handle the oldest messages of the queue in this one transaction; returns how many.

    The conversations' rows are locked before anything of a pair is looked at, and the events come
    last, for they take the lock that orders them.
    """
    batch = claim_unhandled(conn, limit=limit)
    if not batch:
        return 0
    conversation_ids = upsert_conversations(conn, batch)
    batch = flag_reused_ids(conn, batch)
    index_messages(conn, batch, conversation_ids)
    add_bodies(conn, [(message.id, message.body) for message in batch])
    count_messages(conn, batch)
    ids = [message.id for message in batch]
    finish_handling(conn, ids, now)
    add_events(conn, "message", ids, now)
    return len(batch)
