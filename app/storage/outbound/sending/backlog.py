"""How much waits in the outbox, and what is due; cheap, because it is read often."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select

from app.domain.outbound.states import IN_FLIGHT, OutboundStatus, Priority
from app.storage.db.clock import read_clock
from app.storage.tables.outbound import has_status, is_waiting, outbound

# How many of the longest waiting texts are looked at to find one that nothing holds up.
LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Chores:
    """Whether there are `leases` that ended, `overdue` texts, sent ones that need `checks`, or
    uncertain ones that need `proofs`.
    """

    leases: bool
    overdue: bool
    checks: bool
    proofs: bool


def find_chores(conn: Connection, now: datetime) -> Chores:
    """Leases by the database's clock, the rest by `now`."""
    table = outbound.c
    ids = select(table.id).limit(1)
    leases = ids.where(
        has_status(outbound, OutboundStatus.SENDING), table.lease_until <= read_clock(conn)
    )
    overdue = ids.where(
        table.send_before.is_not(None), table.send_before <= now, is_waiting(outbound)
    )
    check = ids.where(table.check_at.is_not(None), table.check_at <= now)
    return Chores(
        leases=_finds(conn, leases),
        overdue=_finds(conn, overdue),
        checks=_finds(conn, check.where(has_status(outbound, OutboundStatus.SENT))),
        proofs=_finds(conn, check.where(has_status(outbound, OutboundStatus.UNCERTAIN))),
    )


def _finds(conn: Connection, query: Select[Any]) -> bool:
    return conn.execute(query).first() is not None


def count_waiting(conn: Connection, *, at_most: int) -> int:
    """Texts that are queued or held, counted up to `at_most`."""
    queue = select(outbound.c.id).where(is_waiting(outbound)).limit(at_most)
    return conn.execute(select(func.count()).select_from(queue.subquery())).scalar_one()


def count_uncertain(conn: Connection) -> int:
    """Texts that may or may not have gone out."""
    query = select(func.count()).where(has_status(outbound, OutboundStatus.UNCERTAIN))
    return conn.execute(query).scalar_one()


def find_oldest_due(conn: Connection, now: datetime) -> datetime | None:
    """Since when the longest waiting text could have gone out, as far as its pair allows."""
    found = (_find_oldest_due(conn, now, each) for each in Priority)
    return min((due_at for due_at in found if due_at is not None), default=None)


def _find_oldest_due(conn: Connection, now: datetime, priority: Priority) -> datetime | None:
    others = outbound.alias()
    is_held_up = exists().where(
        others.c.pair_key == outbound.c.pair_key, has_status(others, *IN_FLIGHT)
    )
    table = outbound.c
    query = (
        select(table.due_at, is_held_up.label("is_held_up"))
        .where(is_waiting(outbound), table.priority == priority, table.due_at <= now)
        .order_by(table.due_at, table.id)
        .limit(LOOKED_AT)
    )
    rows = conn.execute(query)
    return next((row.due_at for row in rows if not row.is_held_up), None)
