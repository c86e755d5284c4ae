"""The feed behind GET /events: one row for each change, with ids in commit order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Text,
    TextClause,
    bindparam,
    delete,
    func,
    select,
    text,
)

from app.storage.db.columns import UtcTime
from app.storage.db.writes import BulkWrite, make_bulk_insert
from app.storage.tables.operations import events

EVENTS_LOCK = 0x4C455454_45564E54
KEPT = timedelta(days=7)
# No transaction that adds events takes longer.
LONGEST_WRITE = timedelta(minutes=1)

# What changed, and the id of its row: `message` (a text came in and was handled), `replay` (it was
# handled again), `outbound` (a text is to go out), `status` (what became of it changed), `opt-out`,
# `alert` (one was opened), `alert-closed`.
Change = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Event:
    """`subject_id` is the id of a row, of the kind that `kind` names."""

    id: int
    kind: str
    subject_id: int
    created_at: datetime


def add_events(conn: Connection, changes: Sequence[Change], now: datetime) -> None:
    """The transaction's last step: it holds the lock that orders the ids until it ends."""
    if not changes:
        return
    kinds, ids = zip(*changes, strict=True)
    if conn.dialect.name == "postgresql":
        conn.execute(_lock_and_insert(), {"kinds": kinds, "ids": ids, "now": now})
        return
    rows = [{"kind": kind, "subject_id": each, "created_at": now} for kind, each in changes]
    _insert_events().run(conn, rows)


def add_event(conn: Connection, kind: str, subject_id: int, now: datetime) -> None:
    add_events(conn, [(kind, subject_id)], now)


@cache
def _insert_events() -> BulkWrite:
    return make_bulk_insert(events, ("kind", "subject_id", "created_at"))


@cache
def _lock_and_insert() -> TextClause:
    return text(
        "WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock(:lock))"
        " INSERT INTO events (kind, subject_id, created_at)"
        " SELECT given.kind, given.id, :now FROM l, unnest(:kinds, :ids) AS given (kind, id)"
    ).bindparams(
        bindparam("lock", EVENTS_LOCK, type_=BigInteger),
        bindparam("kinds", type_=ARRAY(Text)),
        bindparam("ids", type_=ARRAY(BigInteger)),
        bindparam("now", type_=UtcTime),
    )


def read_events(conn: Connection, *, after: int, limit: int) -> list[Event]:
    """In the order in which they were committed."""
    query = (
        select(events.c.id, events.c.kind, events.c.subject_id, events.c.created_at)
        .where(events.c.id > after)
        .order_by(events.c.id)
        .limit(limit)
    )
    return [Event(*row) for row in conn.execute(query)]


def read_events_of(
    conn: Connection, kinds: Sequence[str], *, after: int, limit: int
) -> list[Event]:
    """Those of some kinds, in the order in which they were committed."""
    query = (
        select(events.c.id, events.c.kind, events.c.subject_id, events.c.created_at)
        .where(events.c.id > after, events.c.kind.in_(kinds))
        .order_by(events.c.id)
        .limit(limit)
    )
    return [Event(*row) for row in conn.execute(query)]


def read_event_bounds(conn: Connection) -> tuple[int, int]:
    """The ids of the oldest and newest event; (0, 0) if there is none."""
    # Two subqueries: SQLite scans the whole table for min and max in one query.
    oldest, newest = (select(end(events.c.id)).scalar_subquery() for end in (func.min, func.max))
    bounds = conn.execute(select(oldest, newest)).one()
    return bounds[0] or 0, bounds[1] or 0


def forget_old_events(conn: Connection, now: datetime, *, limit: int) -> int:
    """Delete up to `limit` events older than seven days, but not the newest of these.

    Whoever has read that one has missed nothing, even if the next id was never used: PostgreSQL's
    sequence goes on with a transaction that is rolled back. And the ids never seem to begin again.
    Returns how many went.
    """
    return forget_events(conn, now - KEPT, limit)


def forget_events(conn: Connection, before: datetime, limit: int) -> int:
    """The same with those older than a time."""
    is_old = events.c.created_at < before
    ids = select(events.c.id).where(is_old)
    newest = ids.order_by(events.c.created_at.desc(), events.c.id.desc()).limit(1)
    old = ids.where(events.c.id < newest.scalar_subquery())
    old = old.order_by(events.c.created_at).limit(limit)
    return conn.execute(delete(events).where(events.c.id.in_(old))).rowcount


def find_place(conn: Connection, since: datetime, now: datetime) -> int | None:
    """The place before the first event since then; None if such events may have been deleted."""
    if since < now - KEPT:
        return None
    at_once = select(func.min(events.c.created_at)).where(events.c.created_at >= since)
    first_at: datetime | None = conn.execute(at_once).scalar()
    if first_at is None:
        return read_event_bounds(conn)[1]
    # Ids are in commit order, and the times are those of the transactions' beginnings.
    soon = events.c.created_at.between(first_at, first_at + LONGEST_WRITE)
    found: int = conn.execute(select(func.min(events.c.id)).where(soon)).scalar_one()
    return found - 1
