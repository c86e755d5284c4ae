"""What /stats reads: each number's counts by day, written along with what they count."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection

from app.domain.inbound.messages import make_number_key
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert
from app.storage.tables.operations import daily_counts

COUNT_KEY = ("day", "number_key", "name")
COUNT_COLUMNS = (*COUNT_KEY, "number", "value")

# `replied` counts the texts whose `reply_seconds` are added up: from a text's arrival until the
# provider accepts its answer. `reported` texts are in the provider's report, `missing` ones only
# there; `fetched` are the received ones that came from it.
CountName = Literal[
    "received",
    "with_problems",
    "fetched",
    "reported",
    "missing",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "expired",
    "replied",
    "reply_seconds",
]


class DailyCounts:
    """Adds up what a transaction counts, and writes it at the end."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, name: CountName, number: str, at: datetime, value: int = 1) -> None:
        """`number` is one of ours: the one texted, or the one a text is sent from."""
        self._counts[at.astimezone(UTC).date().isoformat(), number, name] += value

    def move_to(self, writes: Writes) -> None:
        writes.add(_add_counts(), make_count_rows(self._counts))
        self._counts.clear()

    def write(self, conn: Connection) -> None:
        writes = Writes()
        self.move_to(writes)
        writes.run(conn)


def make_count_rows(counts: Mapping[tuple[str, str, str], int]) -> list[dict[str, Any]]:
    """Rows of the table from (day, number, name), in the same order in every process."""
    rows = [
        {
            "day": day,
            "number_key": make_number_key(number),
            "name": name,
            "number": number,
            "value": value,
        }
        for (day, number, name), value in counts.items()
    ]
    return sorted(rows, key=lambda row: tuple(row[each] for each in COUNT_KEY))


@cache
def _add_counts() -> BulkWrite:
    def add_up(statement: Any) -> Any:
        total = daily_counts.c.value + statement.excluded.value
        return statement.on_conflict_do_update(index_elements=COUNT_KEY, set_={"value": total})

    return make_bulk_insert(daily_counts, COUNT_COLUMNS, add_up)
