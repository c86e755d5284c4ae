"""Counts by day and number, kept up by the handle flow, so that no request counts rows."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from app.domain.messages import make_number_key
from app.storage.tables import daily_counts, messages


@dataclass(frozen=True, slots=True)
class DayCount:
    """`day` is the UTC day of arrival, `number` the virtual number that was texted."""

    day: str
    number: str
    received: int
    with_problems: int


def count_days(
    conn: Connection, *, since: str | None, until: str | None, number: str | None
) -> list[DayCount]:
    """Newest day first; `since` is inclusive and `until` exclusive, both YYYY-MM-DD."""
    table = daily_counts.c
    query = select(table.day, table.dest, table.received, table.with_problems)
    if since is not None:
        query = query.where(table.day >= since)
    if until is not None:
        query = query.where(table.day < until)
    if number is not None:
        query = query.where(table.dest_key == make_number_key(number))
    rows = conn.execute(query.order_by(table.day.desc(), table.dest))
    return [DayCount(*row) for row in rows]


def count_backlog(conn: Connection, *, at_most: int) -> int:
    """Messages that wait to be handled, counted up to `at_most`."""
    queue = select(messages.c.id).where(messages.c.handled_at.is_(None)).limit(at_most)
    return conn.execute(select(func.count()).select_from(queue.subquery())).scalar_one()


def find_oldest_unhandled(conn: Connection) -> datetime | None:
    """When the first message of the queue was stored; None where none waits."""
    query = select(messages.c.stored_at).where(messages.c.handled_at.is_(None))
    return conn.execute(query.order_by(messages.c.id).limit(1)).scalar()
