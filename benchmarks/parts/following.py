"""Following sent texts: how many calls the provider gets for them."""

import sys
import tempfile
from pathlib import Path

from benchmarks import outbox
from benchmarks.outbox import Followed
from benchmarks.report import Table
from benchmarks.servers.contenders import (
    migrate_database,
)

FOLLOWED = 2_000


def measure_following() -> dict[str, Followed]:
    """The calls needed to follow texts, if the provider reports a final status soon or never."""
    found = {}
    for name, switches in {
        "delivered within 8 s": {},
        "no last word ever": {"ending_shares": {"stays-sent": 1.0}},
    }.items():
        print(f"following: {name}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="letterbox-bench-") as folder:
            url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
            migrate_database(url, Path(folder))
            found[name] = outbox.follow(url, FOLLOWED, **switches)
    return found


def tabulate_following(found: dict[str, Followed]) -> Table:
    """Counts, which are the same on any machine."""
    rows = [
        (
            name,
            f"{each.texts:,}",
            f"{each.asked:,}",
            f"{each.checks + each.reports:,}",
            f"{each.reports:,}",
        )
        for name, each in found.items()
    ]
    columns = ("", "texts", "checks that were due", "calls they took", "of them reports")
    return Table("Following texts that were sent at ten a second", columns, rows)
