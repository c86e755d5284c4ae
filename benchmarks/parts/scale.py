"""One PostgreSQL and more and more web processes: what they carry, and what they wait for."""

import contextlib
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.compare import CROWD, SETTLE_SECONDS, Pace, fresh_database, make_plan, verify
from benchmarks.load import LoadResult, run_load
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import Contender, compute, running_server
from benchmarks.servers.cores import Cores
from benchmarks.waits import LOCKS, sampling_waits
from tests.support.storage.postgres import PostgresServer, running_postgres

PROCESSES = (1, 2, 4)
# Waits that are shown, those with the most sessions first.
SHOWN_WAITS = 8
TWICE = Target(1.6, at_least=True)


@dataclass(frozen=True, slots=True)
class Stand:
    """How many web processes, and whether they also handle what they receive."""

    processes: int
    run_workers: bool

    @property
    def name(self) -> str:
        count = "1 process" if self.processes == 1 else f"{self.processes} processes"
        return f"{count}, {'working' if self.run_workers else 'web only'}"


@dataclass(frozen=True, slots=True)
class Run:
    """`ours` and `database` are seconds of CPU a message; `waits` are sessions, on average.

    `is_sound`: everything acknowledged is stored exactly once.
    """

    load: LoadResult
    ours: float
    database: float
    journal_bytes: float
    waits: dict[str, float]
    is_sound: bool


Runs = dict[Stand, list[Run]]


def measure_scale(pace: Pace, cores: Cores) -> Runs:
    """All in turns, every other round backwards. Raises DidNotStartError."""
    stands = [Stand(count, working) for working in (False, True) for count in PROCESSES]
    runs: Runs = {stand: [] for stand in stands}
    # One process is not bound to one core either, or two would win by the second alone.
    cores = replace(cores, is_shared=True)
    with running_postgres(durable=True) as postgres:
        cores.place(postgres.pid)
        for number in range(pace.rounds):
            for stand in stands if number % 2 == 0 else reversed(stands):
                print(f"round {number + 1}: {stand.name}", file=sys.stderr)
                runs[stand].append(_run(stand, pace, cores, postgres))
    return runs


def tabulate_scale(runs: Runs) -> Table:
    """Rates as ratios to one process's of the same round."""
    rows = []
    for stand, taken in runs.items():
        first = runs[Stand(1, stand.run_workers)]
        pairs = zip(taken, first, strict=True)
        rates = [one.load.per_second / other.load.per_second for one, other in pairs]
        tails = [one.load.p99 / one.load.p50 for one in taken]
        target = TWICE if stand.processes == 2 and not stand.run_workers else None
        rows.append(
            (
                stand.name,
                str(Figure(rates, target)),
                str(Figure(tails)),
                str(Figure([1e6 * one.ours for one in taken])),
                str(Figure([1e6 * one.database for one in taken])),
                str(Figure([one.journal_bytes for one in taken])),
            )
        )
    columns = (
        "",
        "requests / one process's",
        "p99 / p50",
        "CPU µs a message",
        "PostgreSQL's",
        "its journal, bytes a message",
    )
    title = f"Scale: {CROWD} connections; processes, PostgreSQL and load share all cores"
    return Table(title, columns, rows)


def tabulate_waits(runs: Runs) -> Table:
    """How many of PostgreSQL's sessions were, on average, in each state."""
    total: Counter[str] = Counter()
    for taken in runs.values():
        for run in taken:
            total.update(run.waits)
    # Our own locks are always shown: that nobody waits for one is worth knowing, too.
    names = dict.fromkeys([*(name for name, _ in total.most_common(SHOWN_WAITS)), *LOCKS.values()])
    rows = [
        (
            name,
            *(
                f"{median(one.waits.get(name, 0.0) for one in taken):.2f}"
                for taken in runs.values()
            ),
        )
        for name in names
    ]
    title = "What PostgreSQL's sessions do meanwhile: how many at once, on average (medians)"
    return Table(title, ("", *(stand.name for stand in runs)), rows)


def is_sound(runs: Runs) -> bool:
    return all(run.is_sound for taken in runs.values() for run in taken)


def _run(stand: Stand, pace: Pace, cores: Cores, postgres: PostgresServer) -> Run:
    contender = Contender(
        "letterbox", "postgresql", run_workers=stand.run_workers, processes=stand.processes
    )
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        fresh_database(contender, 0, Path(name), postgres) as url,
        running_server(contender, url, Path(name), cores) as server,
        contextlib.ExitStack() as measuring,
    ):
        time.sleep(SETTLE_SECONDS)
        plan = replace(
            make_plan(server, 0, pace, Path(name) / "ids"),
            connections=CROWD,
            seconds=pace.seconds,
            is_calm=True,
        )
        waits = measuring.enter_context(sampling_waits(url))
        before = (server.compute(), compute(postgres.pid), _count_journal(postgres))
        load = run_load(plan)
        after = (server.compute(), compute(postgres.pid), _count_journal(postgres))
        measuring.close()
        verdict = verify(contender, [Path(plan.ids_path)], url, Path(name))
    ours, database, journal = (
        (late - early) / max(1, load.accepted) for early, late in zip(before, after, strict=True)
    )
    sound = verdict is not None and verdict.is_good
    return Run(load, ours, database, journal, waits.average(), sound)


def _count_journal(postgres: PostgresServer) -> float:
    [(count,)] = postgres.fetch("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
    return float(count)
