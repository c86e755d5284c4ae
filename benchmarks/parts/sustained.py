"""Sustained load: the rate at which handling keeps up, and what a message costs to receive and to
handle.
"""

import contextlib
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.compare import CROWD, SETTLE_SECONDS, Pace, fresh_database, make_plan
from benchmarks.load import LoadResult, run_load
from benchmarks.queue_state import QueueState, read_queue
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import (
    ENGINE_NAMES,
    Contender,
    Engine,
    Running,
    running_server,
    running_worker,
)
from benchmarks.servers.cores import Cores
from tests.support.storage.postgres import PostgresServer, running_postgres

RULE = {"name": "one in ten", "keyword": "yes", "reply": "Thank you, we have noted that."}
# A message must be handled so soon after it was stored.
SOON_SECONDS = 2.0
# Between the highest rate that was sustained and the lowest that was not.
STEPS = 5
PROBE_SECONDS = 6.0
# Of the sustained rate that was found with probes: a minute has more incidents than six seconds.
KEPT = 0.95
BACKLOG_SECONDS = 60.0

OFTEN = Target(0.6, at_least=True)
STEADY = Target(0.4, at_least=True)
PER_SECOND = Target(4000, at_least=True)
CHEAP = Target(0.7)


@dataclass(frozen=True, slots=True)
class Placing:
    """A database, and where the workers run: `inside` the web process or beside it."""

    engine: Engine
    inside: bool

    @property
    def name(self) -> str:
        return f"{ENGINE_NAMES[self.engine]}, workers {'inside' if self.inside else 'beside'}"


@dataclass(frozen=True, slots=True)
class Sustained:
    """Rates a second: `alone` with workers off, `kept` with them, `worst` the lowest of 3 s.

    `receiving` and `handling` are what one message costs, in seconds of the core. `lag` is how long
    the slowest message waited; None if the minute ended with a backlog.
    """

    alone: float
    kept: float
    worst: float
    receiving: float
    handling: float
    lag: float | None


@dataclass(frozen=True, slots=True)
class Lab:
    """What every run needs."""

    pace: Pace
    cores: Cores
    postgres: PostgresServer | None


def measure_sustained(
    engines: Sequence[Engine], pace: Pace, cores: Cores
) -> dict[Placing, Sustained]:
    """Raises DidNotStartError."""
    placings = [Placing(engine, inside=True) for engine in engines]
    if "postgresql" in engines:
        placings.append(Placing("postgresql", inside=False))
    with contextlib.ExitStack() as stack:
        postgres = None
        if "postgresql" in engines:
            postgres = stack.enter_context(running_postgres(durable=True))
        lab = Lab(pace, cores, postgres)
        return {placing: _measure(placing, lab) for placing in placings}


def tabulate_sustained(found: dict[Placing, Sustained]) -> Table:
    each = found.values()
    rows = [
        ("sustained / workers off", [one.kept / one.alone for one in each], OFTEN),
        ("its worst 3 s / workers off", [one.worst / one.alone for one in each], STEADY),
        (
            "handling / receiving, CPU a message",
            [one.handling / one.receiving for one in each],
            CHEAP,
        ),
        ("sustained, messages a second", [one.kept for one in each], PER_SECOND),
        ("receiving, µs of CPU a message", [one.receiving * 1e6 for one in each], None),
        ("handling, µs of CPU a message", [one.handling * 1e6 for one in each], None),
    ]
    cells = [
        (name, *(str(Figure([value], target)) for value in values), str(target or ""))
        for name, values, target in rows
    ]
    lags = ("a backlog" if one.lag is None else f"{one.lag:.2f} s" for one in each)
    cells.append(("handled after at most", *lags, f"≤ {SOON_SECONDS:g} s"))
    title = "Sustained: every message handled and answered while the load goes on"
    return Table(title, ("", *(placing.name for placing in found), "target"), cells)


def _measure(placing: Placing, lab: Lab) -> Sustained:
    alone, receiving, handling = _measure_costs(placing, lab)
    low, high = 0.0, alone
    for _ in range(STEPS):
        rate = (low + high) / 2
        _, state = _take_load(placing, lab, rate, PROBE_SECONDS)
        is_kept = _is_kept(state)
        print(f"{placing.name}: {rate:,.0f} a second: {state}", file=sys.stderr)
        low, high = (rate, high) if is_kept else (low, rate)
    load, state = _take_load(placing, lab, KEPT * low, lab.pace.seconds)
    print(f"{placing.name}: {KEPT * low:,.0f} at length: {state}", file=sys.stderr)
    worst = min(load.pieces, default=0.0)
    lag = state.longest_wait if _is_kept(state) else None
    return Sustained(alone, load.per_second, worst, receiving, handling, lag)


def _is_kept(state: QueueState) -> bool:
    return not state.waiting and state.longest_wait <= SOON_SECONDS


def _measure_costs(placing: Placing, lab: Lab) -> tuple[float, float, float]:
    """The rate with workers off, and the cost of receiving a message and of handling it."""
    contender = Contender("letterbox", placing.engine, run_workers=False)
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        fresh_database(contender, _count(), Path(name), lab.postgres) as url,
    ):
        with running_server(contender, url, Path(name), lab.cores) as server:
            time.sleep(SETTLE_SECONDS)
            _add_rule(server)
            before = server.compute()
            load = _run(server, lab, 0.0, PROBE_SECONDS, Path(name))
            receiving = (server.compute() - before) / load.statuses["200"]
        working = replace(contender, run_workers=True)
        with running_server(working, url, Path(name), lab.cores) as server:
            handling = _watch_backlog(server, url)
    return load.per_second, receiving, handling


def _watch_backlog(server: Running, url: str) -> float:
    """CPU a message while a stored backlog is handled, in the middle of it."""
    time.sleep(SETTLE_SECONDS)
    first, before = read_queue(url).waiting, server.compute()
    until = time.monotonic() + BACKLOG_SECONDS
    left = first
    while left > first / 4 and time.monotonic() < until:
        time.sleep(0.2)
        left = read_queue(url).waiting
    return (server.compute() - before) / max(1, first - left)


def _take_load(
    placing: Placing, lab: Lab, per_second: float, seconds: float
) -> tuple[LoadResult, QueueState]:
    """Load at a pace, and the queue as it is SOON_SECONDS after its end."""
    contender = Contender("letterbox", placing.engine, run_workers=placing.inside)
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        fresh_database(contender, _count(), Path(name), lab.postgres) as url,
        running_server(contender, url, Path(name), lab.cores) as server,
        contextlib.nullcontext()
        if placing.inside
        else running_worker(server, Path(name), lab.cores),
    ):
        time.sleep(SETTLE_SECONDS)
        _add_rule(server)
        load = _run(server, lab, per_second, seconds, Path(name))
        time.sleep(SOON_SECONDS)
        return load, read_queue(url)


def _run(server: Running, lab: Lab, per_second: float, seconds: float, folder: Path) -> LoadResult:
    plan = make_plan(server, 0, lab.pace, folder / "ids")
    plan = replace(plan, connections=CROWD, seconds=seconds, is_calm=True)
    return run_load(replace(plan, per_second=per_second, most_requests=10_000_000))


def _add_rule(server: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/api/v1/rules", json.dumps(RULE), headers)
        response = connection.getresponse()
        if response.status != http.client.CREATED:
            raise RuntimeError(f"no rule: {response.status} {response.read()[:300]!r}")
    finally:
        connection.close()


def _numbers() -> Iterator[int]:
    yield from range(5_000, 100_000)


_NUMBERS = _numbers()


def _count() -> int:
    """Another number for each database."""
    return next(_NUMBERS)
