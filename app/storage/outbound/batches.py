"""Batches: texts to many, from their rows to the counts of what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from app.domain.errors import NotFound
from app.domain.outbound.states import IN_FLIGHT, WAITING, OutboundStatus
from app.domain.places import TimePlace
from app.storage.tables.batches import batches
from app.storage.tables.outbound import has_status, outbound

# `loading` while rows are stored, then a `draft` that a person or program approves. `queueing`
# and `cancelling` go on until all rows are texts, or all texts that wait are cancelled.
BatchState = Literal["loading", "draft", "queueing", "done", "cancelling", "cancelled"]
UNSENT: tuple[BatchState, ...] = ("loading", "draft")
OPEN: tuple[BatchState, ...] = ("queueing", "cancelling")


@dataclass(frozen=True, slots=True)
class Batch:
    """`columns` are the headings of its rows, None where it has only numbers.

    Of its `total` rows `bad` and, unless `forced`, `opted_out` ones become no text. `parts` and
    `credits` are those of all texts together. `queued` counts the texts made so far.
    """

    id: int
    created_by: str
    created_at: datetime
    state: BatchState
    name: str
    source: str | None
    body: str | None
    schedule_at: datetime | None
    schedule_by: str | None
    options: Mapping[str, Any] | None
    columns: Sequence[str] | None
    number_column: int | None
    forced: bool | None
    total: int
    bad: int
    opted_out: int
    parts: int
    credits: int
    queued: int
    last_row: int
    cancelled_by: str | None

    @property
    def wanted(self) -> int:
        """How many texts it makes."""
        if self.columns is None:
            return self.total
        return self.total - self.bad - (0 if self.forced else self.opted_out)

    @property
    def left_out(self) -> int:
        """Rows that become no text."""
        return self.total - self.wanted


_FIELDS = tuple(each.name for each in fields(Batch))
_COLUMNS = [batches.c[name] for name in _FIELDS]


@dataclass(frozen=True, slots=True)
class BatchPage:
    """`next` is what the next page's `before` is; None at the end."""

    batches: list[Batch]
    next: TimePlace | None


def add_batch(conn: Connection, who: str, now: datetime, values: Mapping[str, Any]) -> int:
    """Returns its id."""
    row = {"created_by": str(who), "created_at": now, **values}
    batch_id: int = conn.execute(insert(batches).returning(batches.c.id), row).scalar_one()
    return batch_id


def get_batch(conn: Connection, batch_id: int) -> Batch:
    """Raises NotFound."""
    return _find_batch(conn, batch_id, is_locked=False)


def lock_batch(conn: Connection, batch_id: int) -> Batch:
    """Its row is locked until the commit: before its texts, whoever changes it. Raises NotFound."""
    return _find_batch(conn, batch_id, is_locked=True)


def _find_batch(conn: Connection, batch_id: int, *, is_locked: bool) -> Batch:
    query = select(*_COLUMNS).where(batches.c.id == batch_id)
    row = conn.execute(query.with_for_update() if is_locked else query).first()
    if row is None:
        raise NotFound("no such batch")
    return _make_batch(row)


def get_batches(conn: Connection, ids: Sequence[int]) -> dict[int, Batch]:
    """By id; those that do not exist are missing."""
    query = select(*_COLUMNS).where(batches.c.id.in_(ids))
    return {row.id: _make_batch(row) for row in conn.execute(query)} if ids else {}


def change_batch(conn: Connection, batch_id: int, **values: Any) -> None:
    conn.execute(update(batches).where(batches.c.id == batch_id).values(**values))


def list_batches(
    conn: Connection,
    *,
    before: TimePlace | None,
    limit: int,
    drafts_of: str | None = None,
) -> BatchPage:
    """Newest first: those that were approved, and the drafts of one person."""
    table = batches.c
    is_shown: ColumnElement[bool] = table.state.not_in(UNSENT)
    if drafts_of is not None:
        is_shown = or_(is_shown, and_(table.state == "draft", table.created_by == drafts_of))
    query = select(*_COLUMNS).where(is_shown)
    if before is not None:
        time, number = before
        query = query.where(
            table.created_at <= time, or_(table.created_at < time, table.id < number)
        )
    newest = query.order_by(table.created_at.desc(), table.id.desc()).limit(limit + 1)
    found = [_make_batch(row) for row in conn.execute(newest)]
    page = found[:limit]
    more = len(found) > limit
    return BatchPage(page, (page[-1].created_at, page[-1].id) if more else None)


def list_scheduled_batches(conn: Connection, now: datetime, *, limit: int) -> list[Batch]:
    """Those to be sent later, soonest first."""
    table = batches.c
    query = (
        select(*_COLUMNS)
        .where(table.schedule_at > now, table.state.in_(("queueing", "done")))
        .order_by(table.schedule_at, table.id)
        .limit(limit)
    )
    return [_make_batch(row) for row in conn.execute(query)]


def list_open_batches(conn: Connection) -> list[int]:
    """The ids of those that still have rows to queue or texts to cancel, oldest first."""
    # In the words of the partial index.
    is_open = batches.c.state.not_in([literal_column("'done'"), literal_column("'cancelled'")])
    query = select(batches.c.id).where(is_open, batches.c.state.in_(OPEN))
    return list(conn.execute(query.order_by(batches.c.id)).scalars())


def count_texts(conn: Connection, found: Sequence[Batch]) -> dict[int, dict[str, int]]:
    """The texts of each batch by status.

    Those that are not made yet count as queued, or as cancelled where it was cancelled.
    """
    table = outbound.c
    query = (
        select(table.batch_id, table.status, func.count())
        .where(table.batch_id.in_([batch.id for batch in found]), table.batch_id.is_not(None))
        .group_by(table.batch_id, table.status)
    )
    counts: dict[int, dict[str, int]] = {batch.id: {} for batch in found}
    for batch_id, status, count in conn.execute(query) if found else ():
        counts[batch_id][status] = count
    for batch in found:
        _add_unmade(batch, counts[batch.id])
    return counts


def _add_unmade(batch: Batch, counts: dict[str, int]) -> None:
    unmade = batch.wanted - batch.queued
    if unmade <= 0 or batch.state in UNSENT:
        return
    is_cancelled = batch.state in ("cancelling", "cancelled")
    status = OutboundStatus.CANCELLED if is_cancelled else OutboundStatus.QUEUED
    counts[status] = counts.get(status, 0) + unmade


def sort_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """In the order of the statuses."""
    return {str(status): counts[status] for status in OutboundStatus if status in counts}


def list_waiting(conn: Connection, batch_id: int, *, limit: int) -> list[int]:
    """The ids of its texts that wait here, those due next first."""
    table = outbound.c
    query = (
        select(table.id)
        .where(table.batch_id == batch_id, has_status(outbound, *WAITING))
        .order_by(table.due_at, table.id)
        .limit(limit)
    )
    return list(conn.execute(query).scalars())


def has_texts_in_flight(conn: Connection, batch_id: int) -> bool:
    """Whether one of its texts may yet have to wait again."""
    is_in_flight = has_status(outbound, *IN_FLIGHT)
    query = select(outbound.c.id).where(outbound.c.batch_id == batch_id, is_in_flight)
    return conn.execute(query.limit(1)).first() is not None


def _make_batch(row: Row[Any]) -> Batch:
    return Batch(**row._mapping)
