"""Deliveries: what was attempted, and what waits for another attempt."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from app.domain.errors import NotFound
from app.storage.tables.webhooks import webhook_deliveries

DeliveryState = Literal["waiting", "delivered", "failed"]

# How many finished deliveries of an endpoint are kept, and for how long.
KEPT_DELIVERED = 500
KEPT_FAILED = 1_000
KEPT = timedelta(days=30)
# How many failed deliveries one request queues again.
REQUEUED = 1_000


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One event for one endpoint: after an attempt, or while it waits for an earlier one.

    `message_id` is the webhook-id. `status` is None if nothing was answered; `error` then says why.
    `due_at` is when the next attempt is due.
    """

    webhook_id: int
    message_id: str
    event_id: int
    type: str
    order_key: str
    body: str
    state: DeliveryState
    attempts: int
    happened_at: datetime
    created_at: datetime
    attempted_at: datetime | None
    due_at: datetime | None
    status: int | None
    answer: str
    error: str
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class Delivery(DeliveryRecord):
    """One that is stored."""

    id: int


_TABLE = webhook_deliveries.c
_COLUMNS = [_TABLE[each.name] for each in fields(Delivery)]


def get_delivery(conn: Connection, delivery_id: int) -> Delivery:
    """Raises NotFound."""
    row = conn.execute(select(*_COLUMNS).where(_TABLE.id == delivery_id)).first()
    if row is None:
        raise NotFound("no such delivery; only the newest are kept")
    return Delivery(*row)


def list_deliveries(
    conn: Connection,
    webhook_id: int,
    *,
    state: DeliveryState | None = None,
    before: int | None,
    limit: int,
) -> list[Delivery]:
    """Newest first."""
    query = select(*_COLUMNS).where(_TABLE.webhook_id == webhook_id)
    query = query.order_by(_TABLE.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_TABLE.state == state)
    if before is not None:
        query = query.where(_TABLE.id < before)
    return [Delivery(*row) for row in conn.execute(query)]


def find_last_deliveries(conn: Connection, last: Mapping[int, str | None]) -> dict[int, Delivery]:
    """By endpoint, the delivery with that message id."""
    found = {}
    for webhook_id, message_id in last.items():
        if message_id is None:
            continue
        same = (_TABLE.webhook_id == webhook_id) & (_TABLE.message_id == message_id)
        row = conn.execute(select(*_COLUMNS).where(same)).first()
        if row is not None:
            found[webhook_id] = Delivery(*row)
    return found


def count_by_state(conn: Connection, webhook_id: int) -> dict[str, int]:
    query = (
        select(_TABLE.state, func.count())
        .where(_TABLE.webhook_id == webhook_id)
        .group_by(_TABLE.state)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def count_waiting(conn: Connection, webhook_ids: Collection[int]) -> dict[int, int]:
    """How many deliveries of each endpoint wait for an attempt; those with none are missing."""
    query = (
        select(_TABLE.webhook_id, func.count())
        .where(_TABLE.webhook_id.in_(webhook_ids), _TABLE.state == "waiting")
        .group_by(_TABLE.webhook_id)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def list_stuck_keys(conn: Connection, webhook_id: int) -> frozenset[str]:
    """What an ordered endpoint must not be sent: an earlier event of the same key waits."""
    query = select(_TABLE.order_key).where(
        _TABLE.webhook_id == webhook_id, _TABLE.state == "waiting"
    )
    return frozenset(conn.execute(query.distinct()).scalars())


def list_due(
    conn: Connection,
    webhook_id: int,
    now: datetime,
    *,
    ordered: bool,
    but: Collection[str],
    limit: int,
) -> list[Delivery]:
    """What waits and is due, longest first; of each key only the first, if the order counts.

    `but` are message ids that are being delivered.
    """
    query = select(*_COLUMNS).where(
        _TABLE.webhook_id == webhook_id, _TABLE.state == "waiting", _TABLE.due_at <= now
    )
    if but:
        query = query.where(_TABLE.message_id.not_in(but))
    if ordered:
        earlier = webhook_deliveries.alias()
        is_before = (earlier.c.event_id < _TABLE.event_id) | (
            (earlier.c.event_id == _TABLE.event_id) & (earlier.c.id < _TABLE.id)
        )
        first = select(earlier.c.id).where(
            earlier.c.webhook_id == _TABLE.webhook_id,
            earlier.c.state == "waiting",
            earlier.c.order_key == _TABLE.order_key,
            is_before,
        )
        query = query.where(~first.exists())
    found = conn.execute(query.order_by(_TABLE.due_at, _TABLE.id).limit(limit))
    return [Delivery(*row) for row in found]


def hasten_waiting(
    conn: Connection, webhook_id: int, now: datetime, *, since: datetime | None = None
) -> None:
    """The endpoint answers again: what waits (or only what failed since then) is due now."""
    waiting = (_TABLE.webhook_id == webhook_id) & (_TABLE.state == "waiting")
    if since is not None:
        waiting &= _TABLE.created_at >= since
    conn.execute(update(webhook_deliveries).where(waiting, _TABLE.due_at > now).values(due_at=now))


def add_test(conn: Connection, values: Mapping[str, Any], *, now: datetime) -> Delivery:
    """A delivery that belongs to no event: its webhook_id, message_id, type, order_key and body."""
    row = conn.execute(
        insert(webhook_deliveries)
        .values(
            **values,
            event_id=0,
            state="waiting",
            attempts=0,
            happened_at=now,
            created_at=now,
            due_at=now,
            answer="",
            error="",
        )
        .returning(*_COLUMNS)
    ).one()
    return Delivery(*row)


def requeue(conn: Connection, ids: Sequence[int], now: datetime) -> int:
    """Have deliveries attempted again, now and then as often as new ones; returns how many.

    Not those whose body is empty because what they were about was erased.
    """
    if not ids:
        return 0
    again = {"state": "waiting", "attempts": 0, "due_at": now}
    return conn.execute(
        update(webhook_deliveries).where(_TABLE.id.in_(ids), _TABLE.body != "").values(**again)
    ).rowcount


def list_failed(conn: Connection, webhook_id: int) -> list[int]:
    """The ids of those that were given up, oldest first."""
    query = select(_TABLE.id).where(_TABLE.webhook_id == webhook_id, _TABLE.state == "failed")
    return list(conn.execute(query.order_by(_TABLE.id).limit(REQUEUED)).scalars())


def trim_deliveries(conn: Connection, webhook_id: int) -> None:
    """Keep only the newest finished deliveries of an endpoint."""
    for state, kept in (("delivered", KEPT_DELIVERED), ("failed", KEPT_FAILED)):
        same = (_TABLE.webhook_id == webhook_id) & (_TABLE.state == state)
        query = select(_TABLE.id).where(same).order_by(_TABLE.id.desc())
        last = conn.execute(query.offset(kept).limit(1)).scalar()
        if last is not None:
            conn.execute(delete(webhook_deliveries).where(same, _TABLE.id <= last))


def forget_old_deliveries(conn: Connection, now: datetime, *, limit: int) -> int:
    """Remove finished deliveries older than KEPT, `limit` at most; returns how many went."""
    return forget_deliveries(conn, now - KEPT, limit)


def forget_deliveries(conn: Connection, before: datetime, limit: int) -> int:
    """The same with those older than a time."""
    # Only the first are looked at: ids rise with time, and no index is worth it.
    oldest = (
        select(_TABLE.id, _TABLE.created_at)
        .where(_TABLE.state != "waiting")
        .order_by(_TABLE.id)
        .limit(limit)
        .subquery()
    )
    old = select(oldest.c.id).where(oldest.c.created_at < before)
    return conn.execute(delete(webhook_deliveries).where(_TABLE.id.in_(old))).rowcount
