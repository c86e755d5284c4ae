"""Batches: what many rows cost by few, how long their transactions last, their memory."""

import asyncio
import contextlib
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, cast
from zoneinfo import ZoneInfo

from app.domain.outbound.batch_rows import Columns, Row
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.batches.send_batch import advance_batches, read_batch, send_batch
from app.flows.outbound.batches.stage_batch import RowSource, stage_batch
from app.storage.db.database import Database, open_database
from benchmarks.outbox import fill_outbox
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import ENGINE_NAMES, Engine, migrate_database
from tests.support.storage.postgres import PostgresServer, running_postgres

FEW, MANY = 1_000, 10_000
CHUNK = 100
SINGLES = 20
COUNTS = 50
MEBIBYTE = 1 << 20
LONDON = ZoneInfo("Europe/London")
WANTED = OutboundRequest("447700900100", "Hello {name|there}, your code is {code}")

FLAT = Target(1.3)
SHORT = Target(8)
SMALL = Target(6)
COUNTED = Target(12)


@dataclass(frozen=True, slots=True)
class Batching:
    """Ratios of one database, see the table's rows; `writes` are transactions for each 100 rows."""

    stage: float
    queue: float
    slow: float
    memory: float
    count: float
    writes: float


@dataclass
class Clocked:
    """A database that notes how long each write took."""

    database: Database
    writes: list[float] = field(default_factory=list)

    @property
    def read(self) -> Any:
        return self.database.read

    async def write(self, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return await self.database.write(work, *given, **named)
        finally:
            self.writes.append(time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Run:
    """One batch: seconds of its two stages, its writes, bytes at the peak, seconds of a count."""

    stage: float
    queue: float
    writes: Sequence[float]
    peak: int
    count: float


def measure_batches(engines: Sequence[Engine]) -> dict[Engine, Batching]:
    """Raises DidNotStartError."""
    found = {}
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(durable=True))
        for engine in engines:
            print(f"{engine}: batches", file=sys.stderr)
            found[engine] = _measure(engine, postgres)
    return found


def _measure(engine: Engine, postgres: PostgresServer) -> Batching:
    with tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'bench.sqlite3'}"
        if engine == "postgresql":
            url = postgres.create_database("batches")
        migrate_database(url, folder)
        few, many, single = asyncio.run(_run_all(url))
        if engine == "postgresql":
            postgres.drop_database("batches")
    return Batching(
        stage=many.stage / MANY / (few.stage / FEW),
        queue=many.queue / MANY / (few.queue / FEW),
        slow=quantiles(many.writes, n=20)[-1] / single,
        memory=many.peak / MEBIBYTE,
        count=many.count / few.count,
        writes=len(many.writes) / (MANY / CHUNK),
    )


async def _run_all(url: str) -> tuple[Run, Run, float]:
    """Few rows, many rows, and the seconds of queueing a hundred texts in one plain insert."""
    database = open_database(url, Path(url.removeprefix("sqlite:///")))
    try:
        await _run(database, CHUNK)  # what is loaded and compiled once
        singles = []
        for _ in range(SINGLES):
            began = time.perf_counter()
            await fill_outbox(database, CHUNK, datetime.now(UTC))
            singles.append(time.perf_counter() - began)
        few = await _run(database, FEW)
        many = await _run(database, MANY)
        return few, many, median(singles)
    finally:
        await database.close()


async def _run(database: Database, count: int) -> Run:
    """Stage, approve and queue a batch: once for its times, once for its memory."""
    clocked = Clocked(database)
    timed, now = cast("Database", clocked), datetime.now(UTC)
    began = time.perf_counter()
    batch_id = await _stage(timed, count, now)
    staged = time.perf_counter()
    await send_batch(timed, batch_id, leave_out=False, who="key:bench", now=now)
    while await advance_batches(timed, now):
        pass
    queued = time.perf_counter()
    counting = []
    for _ in range(COUNTS):
        asked = time.perf_counter()
        counted = await database.read(read_batch, batch_id)
        counting.append(time.perf_counter() - asked)
    assert sum(counted.counts.values()) == count, counted.counts
    peak = await _measure_peak(database, count, now)
    return Run(staged - began, queued - staged, clocked.writes, peak, median(counting))


async def _measure_peak(database: Database, count: int, now: datetime) -> int:
    tracemalloc.start()
    try:
        await _stage(database, count, now)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def _stage(database: Database, count: int, now: datetime) -> int:
    source = RowSource(Columns(("number", "name", "code"), 0), _list_rows(count))
    return await stage_batch(
        database, WANTED, source, who="key:bench", region="GB", zone=LONDON, now=now
    )


async def _list_rows(count: int) -> AsyncIterator[Row]:
    for each in range(count):
        # Full numbers of no real person: there are only a thousand of the United Kingdom.
        yield Row(each + 1, (f"4477009{each:05}", f"Person {each}", str(each)))


def tabulate_batches(found: dict[Engine, Batching]) -> Table:
    """Ratios alone."""

    def row(name: str, key: str, target: Target | None) -> tuple[str, ...]:
        cells = [
            str(Figure([getattr(found[engine], key)], target)) if engine in found else "-"
            for engine in ENGINE_NAMES
        ]
        return (name, *cells, str(target or ""))

    rows = [
        row("checking and storing a row of 10,000 / of 1,000", "stage", FLAT),
        row("making a text of a row of 10,000 / of 1,000", "queue", FLAT),
        row("a slow transaction (1 of 20) / a plain insert of 100 texts", "slow", SHORT),
        row("memory while 10,000 rows are stored / 1 MiB", "memory", SMALL),
        row("counting 10,000 texts by status / 1,000", "count", COUNTED),
        row("transactions for each 100 rows", "writes", None),
    ]
    return Table("Batches of rows", ("", *ENGINE_NAMES.values(), "target"), rows)
