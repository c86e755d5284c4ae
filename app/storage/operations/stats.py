"""Counts by day and number, kept up by the handle flow, so that no request counts rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, func, select

from app.domain.inbound.messages import make_number_key
from app.storage.tables.inbound import messages
from app.storage.tables.operations import daily_counts, daily_figures
from app.storage.tables.outbound import outbound


@dataclass(frozen=True, slots=True)
class DayCount:
    """`day` is a day in UTC, `number` one of ours; `figures` are those of storage/operations/figures.py."""

    day: str
    number: str
    received: int = 0
    with_problems: int = 0
    figures: Mapping[str, int] = field(default_factory=dict)


def count_days(
    conn: Connection, *, since: str | None, until: str | None, number: str | None
) -> list[DayCount]:
    """Newest day first; `since` is inclusive and `until` exclusive, both YYYY-MM-DD."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    figures: dict[tuple[str, str], dict[str, int]] = {}
    arrived = daily_counts.c
    query = select(arrived.day, arrived.dest, arrived.received, arrived.with_problems)
    for day, dest, received, odd in conn.execute(
        _within(query, arrived.day, arrived.dest_key, since, until, number)
    ):
        counts[day, dest] = received, odd
    added = daily_figures.c
    query = select(added.day, added.number, added.figure, added.value)
    for day, ours, figure, value in conn.execute(
        _within(query, added.day, added.number_key, since, until, number)
    ):
        figures.setdefault((day, ours), {})[figure] = value
    days = sorted({*counts, *figures}, key=lambda key: key[1])
    return [
        DayCount(*key, *counts.get(key, (0, 0)), figures.get(key, {}))
        for key in sorted(days, key=lambda key: key[0], reverse=True)
    ]


def _within(
    query: Select[Any],
    day: Column[str],
    number_key: Column[bytes],
    since: str | None,
    until: str | None,
    number: str | None,
) -> Select[Any]:
    if since is not None:
        query = query.where(day >= since)
    if until is not None:
        query = query.where(day < until)
    if number is not None:
        query = query.where(number_key == make_number_key(number))
    return query


def measure_parts(conn: Connection, *, newest: int = 1000) -> float:
    """How many parts a text to a number has on average, of those that were written last."""
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
    """Messages that wait to be handled, counted up to `at_most`."""
    queue = select(messages.c.id).where(messages.c.handled_at.is_(None)).limit(at_most)
    return conn.execute(select(func.count()).select_from(queue.subquery())).scalar_one()


def find_oldest_unhandled(conn: Connection) -> datetime | None:
    """When the first message of the queue was stored; None where none waits."""
    query = select(messages.c.stored_at).where(messages.c.handled_at.is_(None))
    return conn.execute(query.order_by(messages.c.id).limit(1)).scalar()
