"""KEEP_DAYS: what forwards pay while a large backlog of old messages is removed."""

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.archive.fill import fill_database
from benchmarks.client import AnsweredOddlyError
from benchmarks.compare import CROWD, SETTLE_SECONDS, Pace, make_plan
from benchmarks.load import run_load
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import (
    ENGINE_NAMES,
    Contender,
    Engine,
    Running,
    migrate_database,
    running_server,
)
from benchmarks.servers.cores import Cores
from benchmarks.verify import read_rows
from tests.support.storage.postgres import PostgresServer, running_postgres

# More than is removed while it is measured: a step of 50 and its rest take about a tenth of a
# second.
BACKLOG = 50_000
# Rates differ by a fifth from one moment to the next, so each of many short rounds is compared
# with its neighbour only.
PAIRS_A_ROUND = 8
SECONDS = 1.5
FREE = Target(0.95, at_least=True)
# The archive is of January 2025: all of it is older than that, nothing than this.
KEEPS = {"removing": {"LETTERBOX_KEEP_DAYS": "30"}, "keeping": {"LETTERBOX_KEEP_DAYS": "0"}}


@dataclass(frozen=True, slots=True)
class Retention:
    """Forwards while old messages are removed, as a share of those without; a value a pair.

    `removed` is how many old messages went meanwhile.
    """

    shares: Sequence[float]
    removed: int


def measure_retention(
    engines: Sequence[Engine], pace: Pace, cores: Cores
) -> dict[Engine, Retention]:
    """Raises DidNotStartError, and AnsweredOddlyError where nothing was removed meanwhile."""
    found: dict[Engine, Retention] = {}
    with contextlib.ExitStack() as stack:
        postgres = None
        if "postgresql" in engines:
            postgres = stack.enter_context(running_postgres(durable=True))
        for engine in engines:
            with (
                tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
                _running_both(engine, Path(name), postgres, cores) as servers,
            ):
                found[engine] = _compare(servers, pace, Path(name))
    return found


def tabulate_retention(found: dict[Engine, Retention]) -> Table:
    rows = [
        (
            "forwards acknowledged while old messages are removed / while none are",
            *(str(Figure(each.shares, FREE)) for each in found.values()),
            str(FREE),
        )
    ]
    removed = ", ".join(f"{each.removed:,} on {ENGINE_NAMES[at]}" for at, each in found.items())
    title = f"KEEP_DAYS: a backlog of {BACKLOG:,} old messages, of which went meanwhile: {removed}"
    return Table(title, ("", *(ENGINE_NAMES[each] for each in found), "target"), rows)


@contextlib.contextmanager
def _running_both(
    engine: Engine, folder: Path, postgres: PostgresServer | None, cores: Cores
) -> Iterator[dict[str, Running]]:
    """A server that removes and one that does not, over the same archive; both are stopped."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, settings in KEEPS.items():
            print(f"{engine}: {name}", file=sys.stderr)
            home = folder / name
            home.mkdir()
            url = f"sqlite:///{home / 'bench.sqlite3'}"
            if engine == "postgresql":
                assert postgres is not None
                url = postgres.create_database(name)
            migrate_database(url, home)
            fill_database(url, BACKLOG)
            contender = Contender("letterbox", engine)
            server = stack.enter_context(running_server(contender, url, home, cores, settings))
            servers[name] = server
            time.sleep(SETTLE_SECONDS)
            _pause(server)
            # A process that is stopped would not end when it is told to.
            stack.callback(_resume, server)
        yield servers


def _compare(servers: dict[str, Running], pace: Pace, folder: Path) -> Retention:
    before = _count_backlog(servers["removing"])
    shares, number = [], 0
    for pair in range(pace.rounds * PAIRS_A_ROUND):
        rates = {}
        for name in sorted(servers, reverse=pair % 2 == 0):
            number += 1
            rates[name] = _measure(servers[name], number, pace, folder / f"ids-{number}")
        shares.append(rates["removing"] / rates["keeping"])
    left = _count_backlog(servers["removing"])
    if not 0 < left < before:
        raise AnsweredOddlyError(f"of {before:,} old messages {left:,} are left: a wrong measure")
    return Retention(shares, before - left)


def _measure(server: Running, number: int, pace: Pace, ids_path: Path) -> float:
    """Forwards acknowledged a second, with the other server stopped."""
    _resume(server)
    try:
        plan = make_plan(server, number, pace, ids_path)
        return run_load(replace(plan, connections=CROWD, seconds=SECONDS)).per_second
    finally:
        _pause(server)


def _count_backlog(server: Running) -> int:
    return len(read_rows(server.database_url, f"SELECT id FROM messages WHERE id <= {BACKLOG}"))


def _pause(server: Running) -> None:
    os.kill(server.pid, signal.SIGSTOP)


def _resume(server: Running) -> None:
    os.kill(server.pid, signal.SIGCONT)
