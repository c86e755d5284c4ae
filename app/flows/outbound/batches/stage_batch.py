"""Stores the rows of a batch, each checked, for somebody to approve.

The rows are stored some at a time, so that nothing waits long for the database. Until all of them
are there the batch is `loading`, then a draft: neither is sent. Drafts are thrown away after a day.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput, Unavailable
from app.domain.outbound.batch_rows import MOST_ROWS, CheckedRow, Columns, Row, RowChecker
from app.domain.outbound.credits import estimate_credits
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.check_request import check_options
from app.storage.db.database import Connection, Database
from app.storage.operations.idempotency import IdempotencyKey, find_answer, keep_answer, lock_key
from app.storage.outbound.batch_rows import add_rows, list_rows, remove_rows
from app.storage.outbound.batches import Batch, add_batch, change_batch, get_batch
from app.storage.rules.opt_outs import find_opted_out

CHUNK_ROWS = 100
# Reading a number takes up to a millisecond; forwards are answered in between.
CHECKED_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class RowSource:
    """Rows to stage, and the name of the file that they came from."""

    columns: Columns
    rows: AsyncIterator[Row]
    name: str = ""


@dataclass
class Totals:
    """What the rows of a batch are together."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, checked: Sequence[CheckedRow], opted_out: frozenset[str], *, force: bool) -> None:
        for each in checked:
            self.counts["total"] += 1
            if each.fault is not None or each.number is None:
                self.counts["bad"] += 1
                continue
            is_out = each.number in opted_out
            self.counts["opted_out"] += is_out
            if not is_out or force:
                self.counts["parts"] += each.parts
                self.counts["credits"] += estimate_credits(each.number, each.parts)

    def list_values(self) -> dict[str, int]:
        names = ("total", "bad", "opted_out", "parts", "credits")
        return {name: self.counts[name] for name in names}


async def stage_batch(
    database: Database,
    request: OutboundRequest,
    source: RowSource,
    idempotency_key: IdempotencyKey | None = None,
    *,
    who: str,
    region: str,
    zone: ZoneInfo,
    now: datetime,
) -> int:
    """Store a draft; returns the batch's id, which the same `idempotency_key` gets again.

    The request's `body` may have placeholders for the columns; its numbers are ignored. Raises
    InvalidInput for what is wrong with all rows; what is wrong with one of them is stored with it.
    """
    known = (
        None if idempotency_key is None else await database.read(find_answer, idempotency_key, now)
    )
    if known is not None:
        return int(known["id"])
    request = check_options(request, region, zone, now)
    checker = RowChecker(request.body, source.columns, region)
    batch_id = await database.write(add_batch, who, now, _describe(request, source))
    try:
        totals = await _add_all(database, batch_id, checker, source.rows, force=request.force)
        if not totals.counts["total"]:
            raise InvalidInput("there are no rows below the headings")
        staged = await database.write(_finish, batch_id, totals, idempotency_key, now)
    except BaseException:
        with suppress(Unavailable):
            await discard(database, batch_id)
        raise
    if staged != batch_id:
        await discard(database, batch_id)
    return staged


async def discard(database: Database, batch_id: int) -> None:
    """Remove a batch that was not sent, some rows at a time."""
    while await database.write(remove_rows, batch_id, limit=CHUNK_ROWS) == CHUNK_ROWS:
        pass


async def read_staged(database: Database, batch_id: int) -> RowSource:
    """The rows of a batch, to be staged again under another text. Raises NotFound."""
    batch = await database.read(get_batch, batch_id)

    async def read() -> AsyncIterator[Row]:
        place = 0
        while rows := await database.read(list_rows, batch_id, after=place, limit=CHUNK_ROWS):
            for each in rows:
                yield Row(each.line, each.cells)
            place = rows[-1].place

    return RowSource(get_columns(batch), read(), batch.name)


def get_columns(batch: Batch) -> Columns:
    return Columns(batch.columns or (), batch.number_column or 0)


def _describe(request: OutboundRequest, source: RowSource) -> dict[str, Any]:
    schedule_by = None if request.schedule_at is None else request.schedule_by or "letterbox"
    options = {
        "source_ton": request.source_ton,
        "validity_seconds": request.validity_seconds,
        "reference": request.reference,
        "metadata": dict(request.metadata),
    }
    return {
        "state": "loading",
        "name": source.name,
        "source": request.source,
        "body": request.body,
        "schedule_at": request.schedule_at,
        "schedule_by": schedule_by,
        "options": options,
        "columns": list(source.columns.headings),
        "number_column": source.columns.number,
        "forced": request.force,
    }


async def _add_all(
    database: Database,
    batch_id: int,
    checker: RowChecker,
    rows: AsyncIterator[Row],
    *,
    force: bool,
) -> Totals:
    totals = Totals()
    async for chunk in _check_rows(checker, rows):
        first = totals.counts["total"] + 1
        if first - 1 + len(chunk) > MOST_ROWS:
            raise InvalidInput(
                f"a batch has at most {MOST_ROWS:,} rows, and here are more: split the file"
            )
        opted_out = await database.write(_add_chunk, batch_id, first, chunk)
        totals.add(chunk, opted_out, force=force)
    return totals


async def _check_rows(
    checker: RowChecker, rows: AsyncIterator[Row]
) -> AsyncIterator[list[CheckedRow]]:
    chunk: list[CheckedRow] = []
    async for row in rows:
        chunk.append(checker.check(row))
        if len(chunk) % CHECKED_AT_ONCE == 0:
            await asyncio.sleep(0)
        if len(chunk) == CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _add_chunk(
    conn: Connection, batch_id: int, first: int, chunk: Sequence[CheckedRow]
) -> frozenset[str]:
    """Returns which of their numbers have opted out."""
    numbers = [each.number for each in chunk if each.number is not None]
    opted_out = frozenset(find_opted_out(conn, numbers)) if numbers else frozenset()
    add_rows(conn, batch_id, first, chunk, opted_out)
    return opted_out


def _finish(
    conn: Connection,
    batch_id: int,
    totals: Totals,
    idempotency_key: IdempotencyKey | None,
    now: datetime,
) -> int:
    """Returns the id of the draft that the request has, which another click may have made."""
    known = None if idempotency_key is None else lock_key(conn, idempotency_key, now)
    if known is not None:
        return int(known["id"])
    change_batch(conn, batch_id, state="draft", **totals.list_values())
    if idempotency_key is not None:
        keep_answer(conn, idempotency_key, {"id": batch_id}, now)
    return batch_id
