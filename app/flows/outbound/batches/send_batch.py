"""Approves the draft of a batch, and makes texts of its rows, some at a time.

Approval is one small transaction, and from then on whichever process has time makes the texts. Each
step queues some rows and notes how far it came in one transaction, so a process may end anywhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.errors import Conflict, InvalidInput
from app.domain.inbound.messages import make_pair_key
from app.domain.outbound.batch_rows import fill_row
from app.domain.outbound.credits import estimate_credits
from app.domain.outbound.requests import OutboundRequest
from app.domain.outbound.states import LONGEST_VALIDITY_SECONDS
from app.flows.outbound.batches.stage_batch import CHUNK_ROWS, get_columns
from app.flows.outbound.compose import Composed
from app.storage.access.audit import add_audit
from app.storage.conversations.conversations import open_conversations
from app.storage.db.database import Connection, Database
from app.storage.operations.events import add_events
from app.storage.operations.idempotency import IdempotencyKey, keep_answer, lock_key
from app.storage.outbound.batch_rows import BatchRow, list_rows, note_texts
from app.storage.outbound.batches import (
    Batch,
    change_batch,
    count_texts,
    get_batch,
    has_texts_in_flight,
    list_open_batches,
    list_waiting,
    lock_batch,
    sort_counts,
)
from app.storage.outbound.cancellations import cancel_all
from app.storage.outbound.outbox import Addressee, queue_batch


@dataclass(frozen=True, slots=True)
class CountedBatch:
    """A batch and its texts by status."""

    batch: Batch
    counts: dict[str, int]


def read_batch(conn: Connection, batch_id: int) -> CountedBatch:
    """Raises NotFound."""
    batch = get_batch(conn, batch_id)
    return CountedBatch(batch, sort_counts(count_texts(conn, [batch])[batch_id]))


async def send_batch(
    database: Database,
    batch_id: int,
    *,
    leave_out: bool,
    force: bool = False,
    idempotency_key: IdempotencyKey | None = None,
    render: Callable[[CountedBatch], Mapping[str, Any]] = lambda _: {},
    who: str,
    now: datetime,
) -> Composed:
    """Approve a draft; one that was approved already stays as it is.

    `leave_out`: send to the good rows although others are bad. `force`: also to numbers that have
    opted out. `render` makes the answer, which a request with the same key gets again for a day.
    Raises InvalidInput, NotFound, and Conflict for one that was cancelled.
    """
    extra = await _count_opted_out(database, batch_id) if force else (0, 0)

    def approve(conn: Connection) -> Composed:
        known = None if idempotency_key is None else lock_key(conn, idempotency_key, now)
        if known is not None:
            return Composed(known, is_replayed=True)
        batch = lock_batch(conn, batch_id)
        if batch.state == "draft":
            _check(batch, leave_out=leave_out, force=force, now=now)
            _approve(conn, batch, extra, force=force, who=who, now=now)
        elif batch.state not in ("queueing", "done"):
            raise Conflict("this batch was cancelled")
        answer = render(read_batch(conn, batch_id))
        if idempotency_key is not None:
            keep_answer(conn, idempotency_key, answer, now)
        return Composed(answer)

    return await database.write(approve)


async def _count_opted_out(database: Database, batch_id: int) -> tuple[int, int]:
    """The parts and credits of the good rows whose numbers have opted out."""
    parts = cost = place = 0
    while rows := await database.read(
        list_rows, batch_id, after=place, limit=CHUNK_ROWS, shown="opted-out"
    ):
        parts += sum(row.parts for row in rows)
        cost += sum(estimate_credits(row.number or "", row.parts) for row in rows)
        place = rows[-1].place
    return parts, cost


def _check(batch: Batch, *, leave_out: bool, force: bool, now: datetime) -> None:
    if batch.bad and not leave_out:
        rows = "1 row" if batch.bad == 1 else f"{batch.bad:,} rows"
        raise InvalidInput(
            f"{rows} cannot be sent: correct the file, or choose to leave them out",
            field="leave_out",
        )
    if batch.total == batch.bad + (0 if force else batch.opted_out):
        raise InvalidInput("there is nobody to send it to")
    if batch.schedule_at is not None and batch.schedule_at <= now:
        raise InvalidInput("its time has passed: choose another", field="schedule_at")


def _approve(
    conn: Connection,
    batch: Batch,
    extra: tuple[int, int],
    *,
    force: bool,
    who: str,
    now: datetime,
) -> None:
    is_new = force and not batch.forced
    parts, cost = extra if is_new else (0, 0)
    change_batch(
        conn,
        batch.id,
        state="queueing",
        forced=force,
        created_by=str(who),
        created_at=now,
        parts=batch.parts + parts,
        credits=batch.credits + cost,
    )
    detail: dict[str, Any] = {"source": batch.source, "rows": batch.total, "left_out": batch.bad}
    if force and batch.opted_out:
        detail["forced"] = batch.opted_out
    add_audit(conn, who, "batch.send", str(batch.id), detail, now)


async def advance_batches(database: Database, now: datetime) -> int:
    """Queue some rows of each batch that has any left, or cancel some texts of it.

    Returns how many rows and texts that were.
    """
    done = 0
    for batch_id in await database.read(list_open_batches):
        done += await database.write(_advance, batch_id, now)
    return done


def _advance(conn: Connection, batch_id: int, now: datetime) -> int:
    batch = lock_batch(conn, batch_id)
    if batch.state == "cancelling":
        return _cancel_some(conn, batch, now)
    return _queue_some(conn, batch, now) if batch.state == "queueing" else 0


def _queue_some(conn: Connection, batch: Batch, now: datetime) -> int:
    rows = list_rows(conn, batch.id, after=batch.last_row, limit=CHUNK_ROWS)
    good = [row for row in rows if row.fault is None and (batch.forced or not row.is_opted_out)]
    if good:
        _queue_rows(conn, batch, good, now)
    change_batch(
        conn,
        batch.id,
        state="queueing" if len(rows) == CHUNK_ROWS else "done",
        last_row=rows[-1].place if rows else batch.last_row,
        queued=batch.queued + len(good),
    )
    return len(rows)


def _queue_rows(conn: Connection, batch: Batch, rows: Sequence[BatchRow], now: datetime) -> None:
    ours, columns = batch.source or "", get_columns(batch)
    numbers = [row.number or "" for row in rows]
    pairs = [(ours, number) for number in numbers]
    opened = open_conversations(conn, pairs, now, in_batch=True)
    texts = [
        (
            _make_request(batch, fill_row(batch.body or "", columns, row.cells)),
            Addressee(number, opened[make_pair_key(ours, number)], is_forced=row.is_opted_out),
        )
        for row, number in zip(rows, numbers, strict=True)
    ]
    ids = queue_batch(conn, batch.id, batch.queued + 1, texts, batch.created_by, now)
    note_texts(conn, batch.id, [(row.place, each) for row, each in zip(rows, ids, strict=True)])
    add_events(conn, [("outbound", each) for each in ids], now)


def _make_request(batch: Batch, body: str) -> OutboundRequest:
    options = dict(batch.options or {})
    return OutboundRequest(
        source=batch.source or "",
        body=body,
        validity_seconds=options.get("validity_seconds", LONGEST_VALIDITY_SECONDS),
        source_ton=options.get("source_ton"),
        reference=options.get("reference"),
        metadata=options.get("metadata") or {},
        schedule_at=batch.schedule_at,
        schedule_by="provider" if batch.schedule_by == "provider" else None,
        is_stored=True,
    )


async def cancel_batch(database: Database, batch_id: int, *, who: str, now: datetime) -> int:
    """Cancel everything of a batch that still waits here; returns how many texts that were, those
    included that were not made yet.

    If this process ends in between, another one goes on. Raises NotFound, and Conflict for a draft.
    """

    def begin(conn: Connection) -> int:
        batch = lock_batch(conn, batch_id)
        if batch.state in ("loading", "draft"):
            raise Conflict("this batch has not been sent")
        is_over = batch.state == "done" and not list_waiting(conn, batch_id, limit=1)
        if is_over or batch.state in ("cancelling", "cancelled"):
            return 0
        add_audit(conn, who, "batch.cancel", str(batch_id), {}, now)
        change_batch(conn, batch_id, state="cancelling", cancelled_by=str(who))
        return batch.wanted - batch.queued

    cancelled = await database.write(begin)
    while count := await database.write(_advance, batch_id, now):
        cancelled += count
    return cancelled


def _cancel_some(conn: Connection, batch: Batch, now: datetime) -> int:
    """While texts are in flight it goes on: some of them may have to wait for another try."""
    ids = list_waiting(conn, batch.id, limit=CHUNK_ROWS)
    if not ids and not has_texts_in_flight(conn, batch.id):
        change_batch(conn, batch.id, state="cancelled")
    return cancel_all(conn, ids, batch.cancelled_by or batch.created_by, now)
