"""The rows of batches, as they came and with what was found of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal

from sqlalchemy import ColumnElement, Connection, delete, insert, select, true

from app.domain.outbound.batch_rows import CheckedRow
from app.storage.db.writes import BulkWrite, Writes, make_bulk_update
from app.storage.outbound.batches import OPEN, UNSENT
from app.storage.tables.batches import batch_rows, batches

# A draft is thrown away after a day, the rows of a batch after a month; its texts stay.
DRAFT_KEPT = timedelta(days=1)
ROWS_KEPT = timedelta(days=30)

# Which rows to show: all, those with a fault, those of numbers that have opted out, the others; or
# those of which no text was made.
Shown = Literal["all", "bad", "opted-out", "good", "left-out"]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """`place` counts from 1, `line` is as a spreadsheet counts. `outbound_id` is of its text."""

    place: int
    line: int
    cells: Sequence[str]
    number: str | None
    parts: int
    is_opted_out: bool
    fault: str | None
    fault_text: str | None
    outbound_id: int | None


_COLUMNS = [column for column in batch_rows.c if column.name != "batch_id"]


def add_rows(
    conn: Connection,
    batch_id: int,
    first: int,
    rows: Sequence[CheckedRow],
    opted_out: frozenset[str],
) -> None:
    """Rows from the place `first` on; `opted_out` are numbers that have opted out."""
    values = [
        {
            "batch_id": batch_id,
            "place": place,
            "line": each.row.line,
            "cells": list(each.row.cells),
            "number": each.number,
            "parts": each.parts,
            "is_opted_out": each.number in opted_out,
            "fault": each.fault,
            "fault_text": each.fault_text,
        }
        for place, each in enumerate(rows, first)
    ]
    if values:
        conn.execute(insert(batch_rows), values)


def list_rows(
    conn: Connection, batch_id: int, *, after: int, limit: int, shown: Shown = "all"
) -> list[BatchRow]:
    """In their order, behind the place `after`."""
    table = batch_rows.c
    query = (
        select(*_COLUMNS)
        .where(table.batch_id == batch_id, table.place > after, _is_shown(shown))
        .order_by(table.place)
        .limit(limit)
    )
    if shown == "all":
        # No place is left out; PostgreSQL would sort all later rows otherwise.
        query = query.where(table.place <= after + limit)
    return [BatchRow(*row) for row in conn.execute(query)]


def _is_shown(shown: Shown) -> ColumnElement[bool]:
    table = batch_rows.c
    if shown == "bad":
        return table.fault.is_not(None)
    if shown == "opted-out":
        return table.fault.is_(None) & table.is_opted_out
    if shown == "left-out":
        return table.outbound_id.is_(None) & (table.fault.is_not(None) | table.is_opted_out)
    if shown == "good":
        return table.fault.is_(None) & ~table.is_opted_out
    return true()


def note_texts(conn: Connection, batch_id: int, made: Sequence[tuple[int, int]]) -> None:
    """Which text each row became: pairs of place and id."""
    writes = Writes()
    rows = [{"batch_id": batch_id, "place": place, "outbound_id": text} for place, text in made]
    writes.add(_update_texts(), rows)
    writes.run(conn)


@cache
def _update_texts() -> BulkWrite:
    return make_bulk_update(batch_rows, ("batch_id", "place"), ("outbound_id",))


def remove_rows(conn: Connection, batch_id: int, *, limit: int) -> int:
    """Remove up to `limit` rows of a batch that was not sent, at last the batch itself.

    Returns how many rows went.
    """
    gone = _delete_rows(conn, batch_id, limit)
    if gone < limit:
        is_unsent = batches.c.state.in_(UNSENT)
        conn.execute(delete(batches).where(batches.c.id == batch_id, is_unsent))
    return gone


def forget_old_rows(conn: Connection, now: datetime, *, limit: int) -> int:
    """Remove drafts that nobody sent, and the rows of old batches, at most `limit` rows.

    Returns 0 if there was nothing to remove, else `limit`.
    """
    table = batches.c
    is_draft = table.state.in_(UNSENT) & (table.created_at < now - DRAFT_KEPT)
    draft = conn.execute(select(table.id).where(is_draft).limit(1)).scalar()
    if draft is not None:
        remove_rows(conn, draft, limit=limit)
        return limit
    first = select(batch_rows.c.batch_id).order_by(batch_rows.c.batch_id).limit(1)
    is_old = (table.created_at < now - ROWS_KEPT) & table.state.not_in(OPEN)
    old = select(table.id).where(table.id == first.scalar_subquery(), is_old)
    batch_id = conn.execute(old).scalar()
    return 0 if batch_id is None else _delete_rows(conn, batch_id, limit) and limit


def _delete_rows(conn: Connection, batch_id: int, limit: int) -> int:
    table = batch_rows.c
    places = (
        select(table.place).where(table.batch_id == batch_id).order_by(table.place).limit(limit)
    )
    gone = delete(batch_rows).where(table.batch_id == batch_id, table.place.in_(places))
    return conn.execute(gone).rowcount
