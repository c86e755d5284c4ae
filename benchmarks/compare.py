"""Runs the servers in turns, all of them in each round, so that they share the machine's drift."""

import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load import LoadPlan, LoadResult, run_load
from benchmarks.servers.contenders import (
    Contender,
    DidNotStartError,
    Running,
    compute,
    running_server,
)
from benchmarks.servers.cores import Cores
from benchmarks.servers.kannel import count_ids
from benchmarks.verify import Verdict, read_rows, verify_rows
from tests.support.storage.postgres import PostgresServer, running_postgres

CROWD = 64
IDS_OF_A_TURN = 10_000_000
# A server that reports ready may still be loading modules.
SETTLE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Turn:
    """One server, once: with one connection, then with many; `verdict` for both.

    `computing` and `database` are seconds of CPU that the server and PostgreSQL spent on each
    message with many connections.
    """

    lone: LoadResult
    crowd: LoadResult
    idle_megabytes: float
    computing: float
    database: float
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations: `seconds` with many connections, half of that with one, and the warm-up.

    With `lone_per_second`, the one connection sends so many, so that each meets an idle service.
    """

    rounds: int
    seconds: float
    warm_up_seconds: float = 1.0
    method: str = "GET"
    lone_per_second: float = 0.0


# By contender's name, its turns in the order of the rounds.
Turns = dict[str, list[Turn]]


def compare_contenders(
    contenders: Sequence[Contender], pace: Pace, cores: Cores, *, on_one_core: bool = False
) -> Turns:
    """Every round starts every server afresh on an empty database; every other one backwards.

    `on_one_core`: PostgreSQL shares the server's core. A server that does not start is reported on
    stderr and has no turns.
    """
    turns: Turns = {}
    absent: set[str] = set()
    with contextlib.ExitStack() as stack:
        postgres = None
        if any(contender.engine == "postgresql" for contender in contenders):
            postgres = stack.enter_context(running_postgres(durable=True))
            if on_one_core:
                cores.place(postgres.pid)
        for number, contender in enumerate(arrange_turns(contenders, pace.rounds)):
            if contender.name in absent:
                continue
            try:
                turn = take_turn(contender, number, pace, postgres, cores)
            except DidNotStartError as error:
                absent.add(contender.name)
                print(error, file=sys.stderr)
            else:
                turns.setdefault(contender.name, []).append(turn)
    return turns


def arrange_turns(contenders: Sequence[Contender], rounds: int) -> Iterator[Contender]:
    for number in range(rounds):
        yield from contenders if number % 2 == 0 else reversed(contenders)


def take_turn(
    contender: Contender,
    number: int,
    pace: Pace,
    postgres: PostgresServer | None,
    cores: Cores,
) -> Turn:
    """Start the server, measure it, check its rows, and clean up."""
    print(f"turn {number + 1}: {contender.name}", file=sys.stderr)
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        fresh_database(contender, number, Path(name), postgres) as database_url,
        running_server(contender, database_url, Path(name), cores) as running,
    ):
        time.sleep(SETTLE_SECONDS)
        idle_megabytes = running.weigh()
        plan = make_plan(running, number, pace, Path(name) / "lone")
        lone = run_load(replace(plan, per_second=pace.lone_per_second))
        crowd_plan = replace(
            plan,
            connections=CROWD,
            seconds=pace.seconds,
            first_id=plan.first_id + IDS_OF_A_TURN // 2,
            ids_path=str(Path(name) / "crowd"),
        )
        before = measure_costs(running, postgres)
        crowd = run_load(crowd_plan)
        after = measure_costs(running, postgres)
        files = [Path(plan.ids_path), Path(crowd_plan.ids_path)]
        verdict = verify(contender, files, database_url, Path(name))
    computing, database = (
        (late - early) / max(1, crowd.accepted) for early, late in zip(before, after, strict=True)
    )
    return Turn(lone, crowd, idle_megabytes, computing, database, verdict)


def measure_costs(running: Running, postgres: PostgresServer | None) -> tuple[float, float]:
    """Seconds that the server and PostgreSQL have computed so far."""
    is_used = postgres is not None and running.database_url.startswith("postgresql")
    return running.compute(), compute(postgres.pid) if postgres is not None and is_used else 0.0


def verify(
    contender: Contender, files: list[Path], database_url: str, folder: Path
) -> Verdict | None:
    """None of a server that stores nothing."""
    if contender.kind == "kannel":
        return verify_rows(files, lambda: count_ids(folder))
    if not database_url:
        return None
    return verify_rows(files, lambda: Counter(read_rows(database_url)))


def make_plan(running: Running, number: int, pace: Pace, ids_path: Path) -> LoadPlan:
    """The plan for one connection; `take_turn` changes it for many."""
    return LoadPlan(
        port=running.port,
        auth=running.auth,
        connections=1,
        seconds=pace.seconds / 2,
        warm_up_seconds=pace.warm_up_seconds,
        first_id=number * IDS_OF_A_TURN,
        ids_path=str(ids_path),
        method=pace.method,
        dialect=running.dialect,
    )


@contextlib.contextmanager
def fresh_database(
    contender: Contender, number: int, folder: Path, postgres: PostgresServer | None
) -> Iterator[str]:
    """The URL of an empty database, "" if the contender stores nothing; dropped after the block."""
    if contender.engine == "postgresql":
        assert postgres is not None
        name = f"turn_{number}"
        yield postgres.create_database(name)
        postgres.drop_database(name)
    else:
        yield f"sqlite:///{folder / 'bench.sqlite3'}" if contender.engine == "sqlite" else ""
