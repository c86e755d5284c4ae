"""What /stats adds up beside the arrivals: so much of each, a day and number."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection

from app.domain.messages import make_number_key
from app.storage.outbound_tables import daily_figures
from app.storage.upserts import make_insert

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
    """Gathers within a transaction; `write` adds everything up at its end."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, figure: Figure, number: str, at: datetime, value: int = 1) -> None:
        """`number` is ours, the one that the text goes out from."""
        self._counts[at.astimezone(UTC).date().isoformat(), number, figure] += value

    def write(self, conn: Connection) -> None:
        write_figures(conn, self._counts)
        self._counts.clear()


def write_figures(conn: Connection, counts: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the figures, in one order for all processes; the keys are (day, number, figure)."""
    rows = sorted(
        (
            {
                "day": day,
                "number_key": make_number_key(number),
                "figure": figure,
                "number": number,
                "value": value,
            }
            for (day, number, figure), value in counts.items()
        ),
        key=lambda row: (row["day"], row["number_key"], row["figure"]),
    )
    if not rows:
        return
    statement = make_insert(conn, daily_figures).values(rows)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "number_key", "figure"],
            set_={"value": daily_figures.c.value + statement.excluded.value},
        )
    )
