"""Creates a batch for a program: its rows are stored, checked and approved in one request."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.errors import Fault, FaultCode, InvalidFields
from app.domain.outbound.batch_rows import Columns, Row
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.batches.send_batch import CountedBatch, send_batch
from app.flows.outbound.batches.stage_batch import CHUNK_ROWS, RowSource, discard, stage_batch
from app.flows.outbound.compose import Composed
from app.storage.db.database import Database
from app.storage.operations.idempotency import IdempotencyKey, find_answer
from app.storage.outbound.batch_rows import BatchRow, list_rows

# Whoever sends thousands of wrong rows needs no list of all of them.
MOST_FAULTS = 100
_CODES: dict[str, FaultCode] = {
    "number": "not-a-number",
    "mangled": "not-a-number",
    "repeated": "repeated",
    "missing": "missing",
    "too-long": "too-long",
    "blank": "too-short",
}

# From the batch and its bad rows, as far as they are told.
Render = Callable[[CountedBatch, Sequence[BatchRow]], Mapping[str, Any]]


async def create_batch(
    database: Database,
    request: OutboundRequest,
    columns: Columns,
    rows: Sequence[Row],
    idempotency_key: IdempotencyKey | None,
    render: Render,
    *,
    field: str,
    skip_invalid: bool,
    who: str,
    region: str,
    zone: ZoneInfo,
    now: datetime,
) -> Composed:
    """Make a batch of these rows and approve it; a request with the same key does it once.

    Unless `skip_invalid`, bad rows and numbers that have opted out refuse all: InvalidFields names
    them by `field` and their place from 0. Raises InvalidInput and ReusedKey besides.
    """
    known = (
        None if idempotency_key is None else await database.read(find_answer, idempotency_key, now)
    )
    if known is not None:
        return Composed(known, is_replayed=True)
    source = RowSource(columns, _iterate(rows))
    batch_id = await stage_batch(
        database, request, source, who=who, region=region, zone=zone, now=now
    )
    try:
        bad = await _list_skipped(database, batch_id, with_opted_out=not request.force)
        if bad and not skip_invalid:
            raise InvalidFields([_describe(each, field) for each in bad])
        done = await send_batch(
            database,
            batch_id,
            leave_out=skip_invalid,
            force=request.force,
            idempotency_key=idempotency_key,
            render=lambda counted: render(counted, bad),
            who=who,
            now=now,
        )
    except Exception:
        await discard(database, batch_id)
        raise
    if done.is_replayed:
        await discard(database, batch_id)
    return done


async def _list_skipped(
    database: Database, batch_id: int, *, with_opted_out: bool
) -> list[BatchRow]:
    """The first rows that get no text, in their order."""
    bad = await database.read(list_rows, batch_id, after=0, limit=MOST_FAULTS, shown="bad")
    if with_opted_out:
        bad += await database.read(
            list_rows, batch_id, after=0, limit=CHUNK_ROWS, shown="opted-out"
        )
    return sorted(bad, key=lambda row: row.place)[:MOST_FAULTS]


def _describe(row: BatchRow, field: str) -> Fault:
    where = f"{field}.{row.place - 1}"
    if row.fault is None:
        return Fault(where, f"{row.number} has opted out of texts", "opted-out")
    return Fault(where, row.fault_text or "", _CODES[row.fault])


async def _iterate(rows: Sequence[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row
