"""What /stats adds up beside the arrivals: so much of each, a day and number."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection

from app.domain.inbound.messages import make_number_key
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert
from app.storage.tables.operations import daily_figures

FIGURE_KEY = ("day", "number_key", "figure")
FIGURE_COLUMNS = (*FIGURE_KEY, "number", "value")

# `replied` counts the texts that `reply_seconds` adds up: from a text's arrival to its answer's
# being taken. `reported` texts stood in the provider's report, and `missing` ones only there;
# `fetched` are those of the received ones that came from it.
Figure = Literal[
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "expired",
    "replied",
    "reply_seconds",
    "reported",
    "missing",
    "fetched",
]


class Figures:
    """Gathers within a transaction; at its end everything is added up."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, figure: Figure, number: str, at: datetime, value: int = 1) -> None:
        """`number` is ours, the one that the text goes out from."""
        self._counts[at.astimezone(UTC).date().isoformat(), number, figure] += value

    def move_to(self, writes: Writes) -> None:
        writes.add(_add_figures(), make_figure_rows(self._counts))
        self._counts.clear()

    def write(self, conn: Connection) -> None:
        writes = Writes()
        self.move_to(writes)
        writes.run(conn)


def make_figure_rows(counts: Mapping[tuple[str, str, str], int]) -> list[dict[str, Any]]:
    """Rows of the table, given by (day, number, figure), in one order for all processes."""
    rows = [
        {
            "day": day,
            "number_key": make_number_key(number),
            "figure": figure,
            "number": number,
            "value": value,
        }
        for (day, number, figure), value in counts.items()
    ]
    return sorted(rows, key=lambda row: tuple(row[each] for each in FIGURE_KEY))


@cache
def _add_figures() -> BulkWrite:
    def add_up(statement: Any) -> Any:
        total = daily_figures.c.value + statement.excluded.value
        return statement.on_conflict_do_update(index_elements=FIGURE_KEY, set_={"value": total})

    return make_bulk_insert(daily_figures, FIGURE_COLUMNS, add_up)
