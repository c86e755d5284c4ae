"""When each of our numbers was last texted, how long it was silent, and how late texts arrive."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, case, exists, func, or_, select

from app.domain.inbound.messages import make_number_key
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert
from app.storage.operations.daily_counts import COUNT_COLUMNS, COUNT_KEY, make_count_rows
from app.storage.tables.access import numbers
from app.storage.tables.inbound import messages, number_last_seen
from app.storage.tables.operations import daily_counts

LONGEST_GAP = "longest-gap-seconds"
# No alert is raised before six hours, so shorter gaps than a third of that need not be written.
LEAST_GAP = timedelta(hours=2)
STEP = timedelta(minutes=1)
_DOUBTFUL = {"time", "time-ambiguous"}


@dataclass(frozen=True, slots=True)
class Silence:
    """A number's last text, its longest recent gap (at least LEAST_GAP) and its count of texts."""

    number: str
    last_arrived_at: datetime
    longest_gap: timedelta
    received: int


def note_arrivals(
    writes: Writes,
    texts: Iterable[tuple[str, datetime]],
    known: Mapping[str, datetime | None],
) -> None:
    """Note each number's last arrival and the gaps that ended, from (number, arrived_at).

    `known` is each number's previous last arrival.
    """
    by_number: dict[str, list[datetime]] = {}
    for number, arrived_at in texts:
        by_number.setdefault(number, []).append(arrived_at)
    moved = []
    gaps: dict[tuple[str, str], timedelta] = {}
    for number, times in by_number.items():
        last = known[number]
        newest = max(times)
        key = make_number_key(number)
        if last is None or newest >= last + STEP:
            moved.append({"dest_key": key, "dest": number, "last_arrived_at": newest})
        for day, gap in _find_gaps(times if last is None else [last, *times]):
            gaps[number, day] = max(gap, gaps.get((number, day), gap))
    writes.add(_move_arrivals(), sorted(moved, key=lambda row: row["dest_key"]))
    widened = {
        (day, number, LONGEST_GAP): int(gap.total_seconds()) for (number, day), gap in gaps.items()
    }
    writes.add(_widen_gaps(), make_count_rows(widened))


def list_silences(conn: Connection, *, since: datetime) -> list[Silence]:
    """Each of our numbers that was ever texted; gaps and texts are counted from that day on.

    If none is configured, every number counts as ours.
    """
    day = since.astimezone(UTC).date().isoformat()
    gap = (
        select(func.max(daily_counts.c.value))
        .where(
            daily_counts.c.number_key == number_last_seen.c.dest_key,
            daily_counts.c.name == LONGEST_GAP,
            daily_counts.c.day >= day,
        )
        .scalar_subquery()
    )
    received = (
        select(func.sum(daily_counts.c.value))
        .where(
            daily_counts.c.number_key == number_last_seen.c.dest_key,
            daily_counts.c.name == "received",
            daily_counts.c.day >= day,
        )
        .scalar_subquery()
    )
    query = select(number_last_seen.c.dest, number_last_seen.c.last_arrived_at, gap, received)
    ours = select(numbers.c.number)
    rows = conn.execute(query.where(or_(number_last_seen.c.dest.in_(ours), ~exists(ours))))
    return [
        Silence(number, last, max(LEAST_GAP, timedelta(seconds=int(longest or 0))), int(texts or 0))
        for number, last, longest, texts in rows
    ]


def list_lags(conn: Connection, *, limit: int) -> list[timedelta]:
    """How long after its receivedts each of the newest forwards arrived, if that is certain."""
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


def has_arrivals(conn: Connection) -> bool:
    """Whether any text has ever been handled."""
    return conn.execute(select(number_last_seen.c.dest_key).limit(1)).first() is not None


def find_last_arrival(conn: Connection, number: str) -> datetime | None:
    """When a number was last texted, within STEP; None if never."""
    query = select(number_last_seen.c.last_arrived_at)
    found: datetime | None = conn.execute(
        query.where(number_last_seen.c.dest_key == make_number_key(number))
    ).scalar()
    return found


def _find_gaps(times: Iterable[datetime]) -> Iterable[tuple[str, timedelta]]:
    """The gaps over LEAST_GAP, each with the day on which it ended."""
    ordered = sorted(times)
    for before, after in itertools.pairwise(ordered):
        if after - before > LEAST_GAP:
            yield after.astimezone(UTC).date().isoformat(), after - before


@cache
def _move_arrivals() -> BulkWrite:
    def keep_newest(statement: Any) -> Any:
        new, old = statement.excluded.last_arrived_at, number_last_seen.c.last_arrived_at
        return statement.on_conflict_do_update(
            index_elements=["dest_key"],
            set_={"last_arrived_at": case((new > old, new), else_=old)},
        )

    return make_bulk_insert(number_last_seen, ("dest_key", "dest", "last_arrived_at"), keep_newest)


@cache
def _widen_gaps() -> BulkWrite:
    def keep_longest(statement: Any) -> Any:
        new, old = statement.excluded.value, daily_counts.c.value
        return statement.on_conflict_do_update(
            index_elements=COUNT_KEY, set_={"value": case((new > old, new), else_=old)}
        )

    return make_bulk_insert(daily_counts, COUNT_COLUMNS, keep_longest, name="gaps")
