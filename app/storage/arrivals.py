"""When each of our numbers was last texted, how long it was silent, and how late texts come."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, case, exists, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.messages import make_number_key
from app.storage.outbound_tables import arrivals, daily_figures
from app.storage.tables import daily_counts, messages, numbers

LONGEST_GAP = "longest-gap-seconds"
# The alarm never rings before six hours, so a third of that is the least gap worth keeping, and no
# number's row is written more often than it needs to be.
LEAST_GAP = timedelta(hours=2)
STEP = timedelta(minutes=1)
_DOUBTFUL = {"time", "time-ambiguous"}


@dataclass(frozen=True, slots=True)
class Silence:
    """A number with its last text, its longest gap of late (at least LEAST_GAP), its texts."""

    number: str
    last_arrived_at: datetime
    longest_gap: timedelta
    received: int


def note_arrivals(conn: Connection, texts: Iterable[tuple[str, datetime]]) -> None:
    """Keep each number's last arrival, and the gaps that ended; given as (number, arrived_at)."""
    by_number: dict[str, list[datetime]] = {}
    for number, arrived_at in texts:
        by_number.setdefault(number, []).append(arrived_at)
    if not by_number:
        return
    keys = {make_number_key(number): number for number in by_number}
    query = select(arrivals.c.dest_key, arrivals.c.last_arrived_at)
    known = {
        keys[row.dest_key]: row.last_arrived_at
        for row in conn.execute(query.where(arrivals.c.dest_key.in_(list(keys))))
    }
    moved: dict[str, datetime] = {}
    gaps: dict[tuple[str, str], timedelta] = {}
    for number, times in by_number.items():
        last = known.get(number)
        newest = max(times)
        if last is None or newest >= last + STEP:
            moved[number] = newest
        for day, gap in _find_gaps(times if last is None else [last, *times]):
            gaps[number, day] = max(gap, gaps.get((number, day), gap))
    _move_arrivals(conn, moved)
    _widen_gaps(conn, gaps)


def list_silences(conn: Connection, *, since: datetime) -> list[Silence]:
    """Every number of ours that was ever texted; gaps and texts are counted from that day on.

    Where none is configured, every number counts as ours.
    """
    day = since.astimezone(UTC).date().isoformat()
    gap = (
        select(func.max(daily_figures.c.value))
        .where(
            daily_figures.c.number_key == arrivals.c.dest_key,
            daily_figures.c.figure == LONGEST_GAP,
            daily_figures.c.day >= day,
        )
        .scalar_subquery()
    )
    received = (
        select(func.sum(daily_counts.c.received))
        .where(daily_counts.c.dest_key == arrivals.c.dest_key, daily_counts.c.day >= day)
        .scalar_subquery()
    )
    query = select(arrivals.c.dest, arrivals.c.last_arrived_at, gap, received)
    ours = select(numbers.c.number)
    rows = conn.execute(query.where(or_(arrivals.c.dest.in_(ours), ~exists(ours))))
    return [
        Silence(number, last, max(LEAST_GAP, timedelta(seconds=int(longest or 0))), int(texts or 0))
        for number, last, longest, texts in rows
    ]


def list_lags(conn: Connection, *, limit: int) -> list[timedelta]:
    """How long after its receivedts each of the newest forwards arrived, where that can be read."""
    query = (
        select(messages.c.received_at, messages.c.arrived_at, messages.c.via, messages.c.problems)
        .order_by(messages.c.id.desc())
        .limit(limit * 5)
    )
    lags = [
        row.arrived_at - row.received_at
        for row in conn.execute(query)
        if row.via != "report" and not _DOUBTFUL & {*row.problems.split()}
    ]
    return lags[:limit]


def find_last_arrival(conn: Connection, number: str) -> datetime | None:
    """When a number was last texted, within STEP; None where it never was."""
    query = select(arrivals.c.last_arrived_at)
    found: datetime | None = conn.execute(
        query.where(arrivals.c.dest_key == make_number_key(number))
    ).scalar()
    return found


def _find_gaps(times: Iterable[datetime]) -> Iterable[tuple[str, timedelta]]:
    """The gaps worth keeping, each with the day on which it ended."""
    ordered = sorted(times)
    for before, after in itertools.pairwise(ordered):
        if after - before > LEAST_GAP:
            yield after.astimezone(UTC).date().isoformat(), after - before


def _move_arrivals(conn: Connection, moved: dict[str, datetime]) -> None:
    if not moved:
        return
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    rows = [
        {"dest_key": make_number_key(number), "dest": number, "last_arrived_at": time}
        for number, time in sorted(moved.items())
    ]
    statement = dialect.insert(arrivals).values(rows)
    new, old = statement.excluded.last_arrived_at, arrivals.c.last_arrived_at
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["dest_key"],
            set_={"last_arrived_at": case((new > old, new), else_=old)},
        )
    )


def _widen_gaps(conn: Connection, gaps: dict[tuple[str, str], timedelta]) -> None:
    if not gaps:
        return
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    rows = [
        {
            "day": day,
            "number_key": make_number_key(number),
            "figure": LONGEST_GAP,
            "number": number,
            "value": int(gap.total_seconds()),
        }
        for (number, day), gap in sorted(gaps.items())
    ]
    statement = dialect.insert(daily_figures).values(rows)
    new, old = statement.excluded.value, daily_figures.c.value
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "number_key", "figure"],
            set_={"value": case((new > old, new), else_=old)},
        )
    )
