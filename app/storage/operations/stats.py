"""Counts by day and number, kept up by the handle flow, so that no request counts rows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from app.domain.inbound.messages import make_number_key
from app.storage.tables.inbound import messages
from app.storage.tables.operations import daily_counts
from app.storage.tables.outbound import outbound

# How texts end.
ENDS = ("delivered", "undelivered", "failed", "expired")


@dataclass(frozen=True, slots=True)
class DayCount:
    """`day` is a day in UTC, `number` one of ours; `counts` are by `CountName`, 0 if missing."""

    day: str
    number: str
    counts: Counter[str] = field(default_factory=Counter)


def rate_delivery(counts: Iterable[DayCount]) -> float | None:
    """Of the texts whose end is known, how many were delivered; None where none is known."""
    total = sum((each.counts for each in counts), Counter())
    ended = sum(total[end] for end in ENDS)
    return total["delivered"] / ended if ended else None


def average_reply(counts: Iterable[DayCount]) -> float | None:
    """Seconds from a text's arrival until its reply was accepted; None where none was."""
    total = sum((each.counts for each in counts), Counter())
    return total["reply_seconds"] / total["replied"] if total["replied"] else None


def count_days(
    conn: Connection, *, since: str | None, until: str | None, number: str | None
) -> list[DayCount]:
    """Newest day first; `since` is inclusive and `until` exclusive, both YYYY-MM-DD."""
    table = daily_counts.c
    query = select(table.day, table.number, table.name, table.value)
    if since is not None:
        query = query.where(table.day >= since)
    if until is not None:
        query = query.where(table.day < until)
    if number is not None:
        query = query.where(table.number_key == make_number_key(number))
    found: dict[tuple[str, str], DayCount] = {}
    for day, ours, name, value in conn.execute(query.order_by(table.day.desc(), table.number)):
        found.setdefault((day, ours), DayCount(day, ours)).counts[name] = value
    return list(found.values())


def measure_parts(conn: Connection, *, newest: int = 1000) -> float:
    """How many parts the newest texts to one number have on average."""
    written = (
        select(outbound.c.parts)
        .where(outbound.c.to_key.is_not(None))
        .order_by(outbound.c.id.desc())
        .limit(newest)
        .subquery()
    )
    found = conn.execute(select(func.avg(written.c.parts))).scalar()
    return 1.0 if found is None else float(found)


def count_backlog(conn: Connection, *, at_most: int) -> int:
    """Messages waiting to be handled, counted up to `at_most`."""
    queue = select(messages.c.id).where(messages.c.handled_at.is_(None)).limit(at_most)
    return conn.execute(select(func.count()).select_from(queue.subquery())).scalar_one()


def find_oldest_unhandled(conn: Connection) -> datetime | None:
    """When the first message of the queue was stored; None if none is waiting."""
    query = select(messages.c.stored_at).where(messages.c.handled_at.is_(None))
    return conn.execute(query.order_by(messages.c.id).limit(1)).scalar()
