"""`letterbox move`: how long a large archive takes from SQLite to PostgreSQL, and back."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.archive.fill import fill_database
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import LETTERBOX, DidNotStartError, migrate_database
from tests.support.storage.postgres import running_postgres

MILLION = 1_000_000
SOON = Target(300)


@dataclass(frozen=True, slots=True)
class Move:
    """Seconds that the command took, and how many of a processor's."""

    name: str
    seconds: float
    cpu_seconds: float


def measure_moves(rows: int) -> Sequence[Move]:
    """An archive of so many messages, there and back. Raises DidNotStartError."""
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        running_postgres(durable=True) as postgres,
    ):
        folder = Path(name)
        first, last = (f"sqlite:///{folder / each}.sqlite3" for each in ("first", "last"))
        between = postgres.create_database("between")
        migrate_database(first, folder)
        fill_database(first, rows)
        return [
            _move("SQLite to PostgreSQL", first, between, folder),
            _move("PostgreSQL to SQLite", between, last, folder),
        ]


def tabulate_moves(moves: Sequence[Move], rows: int) -> Table:
    """By the million: a move takes as long for each message."""
    found = [
        (
            move.name,
            str(Figure([move.seconds * MILLION / rows], SOON)),
            str(Figure([move.cpu_seconds * MILLION / rows])),
            str(SOON),
        )
        for move in moves
    ]
    title = f"Moving {rows:,} messages: seconds per million"
    return Table(title, ("", "seconds", "of which computing", "target"), found)


def _move(name: str, source: str, target: str, folder: Path) -> Move:
    print(name, file=sys.stderr)
    kept = {each: text for each, text in os.environ.items() if not each.startswith("LETTERBOX_")}
    settings = {"LETTERBOX_DATABASE_URL": source, "LETTERBOX_DATA_DIR": str(folder / "data")}
    began, used = time.monotonic(), _read_cpu()
    done = subprocess.run(
        [LETTERBOX, "move", "--to", target],
        env=kept | settings,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DidNotStartError(f"letterbox move failed: {done.stderr}")
    return Move(name, time.monotonic() - began, _read_cpu() - used)


def _read_cpu() -> float:
    """Of the processes that have ended; PostgreSQL's still runs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
