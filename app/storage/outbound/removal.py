"""Removes texts that went out for good, with their attempts and history."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select, tuple_

from app.storage.outbound.text_search import replace_text
from app.storage.tables.batches import batch_rows, batches
from app.storage.tables.outbound import outbound, provider_messages, send_attempts, status_changes

# The states of batches that queue no more texts.
ENDED = ("done", "cancelled")


def find_old_texts(
    conn: Connection, before: datetime, after: int, limit: int
) -> tuple[list[int], int | None]:
    """Of the next `limit` texts behind that id, those to remove; and the id to go on from.

    None once there is no older one. What may still go out, or change, stays.
    """
    table = outbound.c
    query = select(table.id, table.created_at, table.settled_at).where(table.id > after)
    rows = conn.execute(query.order_by(table.id).limit(limit)).all()
    old = [row.id for row in rows if row.created_at < before and _is_over(row.settled_at, before)]
    is_end = len(rows) < limit or all(row.created_at >= before for row in rows)
    return old, None if is_end else rows[-1].id


def _is_over(settled_at: datetime | None, before: datetime) -> bool:
    """A text that was scheduled for months ahead is as old as its end."""
    return settled_at is not None and settled_at < before


def remove_texts(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Remove settled texts; returns the ids of their conversations."""
    gone = delete(outbound).where(outbound.c.id.in_(ids), outbound.c.settled_at.is_not(None))
    returned = (outbound.c.id, outbound.c.body, outbound.c.conversation_id)
    rows = conn.execute(gone.returning(*returned)).all()
    for row in sorted(rows):
        replace_text(conn, row.id, row.body, None)
    removed = [row.id for row in rows]
    for table in (provider_messages, send_attempts, status_changes):
        conn.execute(delete(table).where(table.c.outbound_id.in_(removed)))
    return sorted({row.conversation_id for row in rows if row.conversation_id is not None})


def remove_old_rows(conn: Connection, before: datetime, limit: int) -> int:
    """Remove rows that ended batches were made from; returns how many."""
    table = batch_rows.c
    is_old = (batches.c.created_at < before) & batches.c.state.in_(ENDED)
    old = select(table.batch_id, table.place).join(batches, batches.c.id == table.batch_id)
    some = conn.execute(old.where(is_old).limit(limit)).all()
    keys = [tuple(row) for row in some]
    gone = delete(batch_rows).where(tuple_(table.batch_id, table.place).in_(keys))
    return conn.execute(gone).rowcount if keys else 0


def remove_empty_batches(conn: Connection, before: datetime, limit: int) -> int:
    """Remove ended batches of which no text and no row is left; returns how many."""
    table = batches.c
    has_text = select(outbound.c.id).where(outbound.c.batch_id == table.id).exists()
    has_row = select(batch_rows.c.place).where(batch_rows.c.batch_id == table.id).exists()
    is_old = (table.created_at < before) & table.state.in_(ENDED)
    empty = select(table.id).where(is_old, ~has_text, ~has_row)
    ids = empty.order_by(table.id).limit(limit)
    return conn.execute(delete(batches).where(table.id.in_(ids))).rowcount
