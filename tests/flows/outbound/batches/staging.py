"""Batches as tests load them, approve them and have them sent."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from app.domain.outbound.batch_rows import make_rows
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.batches.read_recipients import read_recipients
from app.flows.outbound.batches.send_batch import (
    advance_batches,
    read_batch,
    send_batch,
)
from app.flows.outbound.batches.stage_batch import RowSource, stage_batch
from app.storage.operations.idempotency import IdempotencyKey
from app.storage.outbound.batch_rows import list_rows
from tests.support.outbox import LONDON, OURS, Outbox

WANTED = OutboundRequest(OURS, "Hello {name|there}")
CROWD = [f"447700900{each:03}" for each in range(20, 270)]


async def iterate(items: Sequence[Any]) -> AsyncIterator[Any]:
    for each in items:
        yield each


async def stage(
    outbox: Outbox,
    rows: Sequence[dict[str, str]],
    idempotency_key: IdempotencyKey | None = None,
    **changes: Any,
) -> int:
    columns, made = make_rows(rows)
    return await stage_batch(
        outbox.database,
        replace(WANTED, **changes),
        RowSource(columns, iterate(made)),
        idempotency_key,
        who="key:test",
        region="GB",
        zone=LONDON,
        now=outbox.now(),
    )


async def stage_file(outbox: Outbox, data: bytes, **changes: Any) -> int:
    found = await read_recipients(iterate([data]), "GB")
    return await stage_batch(
        outbox.database,
        replace(WANTED, **changes),
        RowSource(found.columns, found.rows, "people.csv"),
        who="key:test",
        region="GB",
        zone=LONDON,
        now=outbox.now(),
    )


async def approve(
    outbox: Outbox, batch_id: int, *, leave_out: bool = False, force: bool = False
) -> None:
    await send_batch(
        outbox.database,
        batch_id,
        leave_out=leave_out,
        force=force,
        who="session:Ada",
        now=outbox.now(),
    )


async def advance(outbox: Outbox) -> None:
    while await advance_batches(outbox.database, outbox.now()):
        pass


async def count(outbox: Outbox, batch_id: int) -> dict[str, int]:
    return (await outbox.database.read(read_batch, batch_id)).counts


async def find_faults(outbox: Outbox, batch_id: int) -> list[tuple[int, str]]:
    rows = await outbox.database.read(list_rows, batch_id, after=0, limit=500, shown="bad")
    return [(row.line, row.fault_text or "") for row in rows]


def name_rows(numbers: Sequence[str]) -> list[dict[str, str]]:
    return [{"number": number, "name": f"No {place}"} for place, number in enumerate(numbers)]
