"""A long run at a bounded rate: a line every while, and at the end what has grown."""

import asyncio
import contextlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import asyncpg
import psutil  # type: ignore[import-untyped]  # it ships no types

from benchmarks.client import Client
from benchmarks.parts.lists import sign_in
from benchmarks.parts.sending import post
from benchmarks.parts.webhooks import SETTINGS as WEBHOOK_SETTINGS
from benchmarks.parts.webhooks import add_webhook, running_endpoint
from benchmarks.servers.contenders import (
    ENGINE_NAMES,
    Contender,
    Engine,
    Running,
    migrate_database,
    running_server,
)
from benchmarks.servers.cores import Cores
from benchmarks.servers.provider import running_provider
from tests.support.storage.postgres import running_postgres

PER_SECOND = 10
# Of each, so many a minute.
SENDS, PAGES = 6, 6
SAMPLES = 60
READS = ("/", "/overview", "/outbox", "/api/v1/messages", "/api/v1/outbound", "/metrics")
OUR_NUMBER = "447700900001"
RULE = {"name": "Hours", "pattern": "hours", "reply": "We open at nine."}
SIZES = ("memory", "files", "threads", "wal")

# Whose rows belong to texts or to what was done, and stay: see docs/reference/data.md.
GROWS = {
    *("audit", "batches", "conversations", "daily_counts", "events", "message_blocks"),
    *("message_index", "messages", "number_last_seen", "outbound", "provider_messages"),
    *("send_attempts", "status_changes", "webhook_deliveries"),
}
SEARCHES = ("message_search", "outbound_search")


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory, the database and its journal in MB; rows of the tables that should not grow."""

    at: float
    memory: float
    files: float
    threads: float
    wal: float
    database: float
    messages: int
    rows: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.at:8.0f} s  {self.memory:6.1f} MB  {self.files:3.0f} files"
            f"  {self.threads:2.0f} threads  WAL {self.wal:6.1f} MB  database {self.database:7.1f}"
            f" MB  {self.messages:9,} texts  {sum(self.rows.values()):5} other rows"
        )


def run_soak(engine: Engine, seconds: float, cores: Cores) -> list[str]:
    """What has grown, after so many seconds; prints the curve. Raises DidNotStartError."""
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        url = f"sqlite:///{folder / 'soak.sqlite3'}"
        if engine == "postgresql":
            url = stack.enter_context(running_postgres(durable=True)).create_database("soak")
        migrate_database(url, folder)
        provider = stack.enter_context(running_provider(folder))
        port = stack.enter_context(running_endpoint())
        session = asyncio.run(sign_in(url))
        settings = provider.settings | WEBHOOK_SETTINGS
        contender = Contender("letterbox", engine)
        server = stack.enter_context(running_server(contender, url, folder, cores, settings))
        post(server, "/rules", RULE)
        add_webhook(server, port)
        client = Client(server.port, server.api_key, session)
        print(f"{ENGINE_NAMES[engine]}, {PER_SECOND} texts a second", flush=True)
        samples = list(_live(server, client, url, seconds))
        client.close()
    return find_growth(samples)


def _live(server: Running, client: Client, url: str, seconds: float) -> Iterator[Sample]:
    """The traffic, and a sample every while."""
    began, number, interval = time.monotonic(), 0, seconds / SAMPLES
    following = interval
    while (at := time.monotonic() - began) < seconds:
        _act(server, client, number)
        number += 1
        # What could not be sent in time is left out: the rate has a bound.
        time.sleep(max(0.0, 1 / PER_SECOND - (time.monotonic() - began - at)))
        if at >= following:
            following += interval
            sample = _take_sample(server, url, at)
            print(sample, flush=True)
            yield sample


def _act(server: Running, client: Client, number: int) -> None:
    sender = f"447700900{100 + number * 7 % 900}"
    text = f"{'hours please' if number % 50 == 0 else 'word'} {number}"
    given = {"source": sender, "dest": OUR_NUMBER, "msg": text, "id": number, "auth": server.auth}
    client.time(f"/inbound?{urlencode(given)}")
    minute = 60 * PER_SECOND
    if number % (minute // PAGES) == 0:
        client.time(READS[number // (minute // PAGES) % len(READS)])
    if number % (minute // SENDS) == minute // SENDS // 2:
        order = {"to": sender, "source": OUR_NUMBER, "body": f"Answer {number}"}
        post(server, "/outbound", order)


def _grows(table: str) -> bool:
    return table in GROWS or table.startswith(SEARCHES)


def _is_counted(table: str) -> bool:
    return table == "messages" or not _grows(table)


def _take_sample(server: Running, url: str, at: float) -> Sample:
    process = psutil.Process(server.pid)
    rows, wal, database = (
        asyncio.run(_read_postgres(url)) if url.startswith("postgresql") else _read_sqlite(url)
    )
    return Sample(
        at,
        server.weigh(),
        process.num_fds(),
        process.num_threads(),
        wal / 1e6,
        database / 1e6,
        rows.get("messages", 0),
        {table: count for table, count in rows.items() if not _grows(table)},
    )


def _read_sqlite(url: str) -> tuple[dict[str, int], float, float]:
    """Rows of each table, bytes of the journal and of the file."""
    path = Path(url.removeprefix("sqlite:///"))
    wal = path.with_name(f"{path.name}-wal")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        tables = [name for (name,) in connection.execute(names)]
        rows = {each: _count_rows(connection, each) for each in tables if _is_counted(each)}
    return rows, wal.stat().st_size if wal.exists() else 0, path.stat().st_size


def _count_rows(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


async def _read_postgres(url: str) -> tuple[dict[str, int], float, float]:
    connection = await asyncpg.connect(url, ssl=False)
    try:
        found = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        rows = {
            name: await connection.fetchval(f'SELECT count(*) FROM "{name}"')
            for (name,) in found
            if _is_counted(name)
        }
        wal = await connection.fetchval("SELECT sum(size) FROM pg_ls_waldir()")
        size = await connection.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await connection.close()
    return rows, float(wal or 0), float(size)


def find_growth(samples: Sequence[Sample]) -> list[str]:
    """What the last quarter has more of than the second; the first one fills caches."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    if not early:
        return ["too short to tell"]
    pairs = {
        name: tuple(median(float(getattr(each, name)) for each in part) for part in (early, late))
        for name in SIZES
    }
    for table in late[-1].rows:
        pairs[table] = tuple(
            median(each.rows.get(table, 0) for each in part) for part in (early, late)
        )
    return [
        f"{name}: {before:,.1f}, then {after:,.1f}"
        for name, (before, after) in pairs.items()
        # A twentieth more, and more than a few.
        if after > before * 1.05 + 2
    ]


def report_growth(grown: Sequence[str]) -> None:
    print(
        "\n".join(["Grown:", *grown] if grown else ["Nothing has grown."]), end="\n\n", flush=True
    )
    if grown:
        print("what grows without a bound is a fault", file=sys.stderr)
