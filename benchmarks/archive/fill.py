"""Fills a migrated database in bulk, without the service: indexes are created after the rows."""

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from app.domain.times import to_microseconds
from benchmarks.archive.archive import COLUMNS, Archive

CHUNK_ROWS = 20_000

# Those that belong to no constraint.
POSTGRES_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE NOT indisunique AND relname = ANY($1) AND relnamespace = 'public'::regnamespace
"""
# The rows came with their ids, which the sequence does not know.
POSTGRES_NEXT_ID = (
    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
)
SQLITE_INDEXES = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql > ''"
# So many pages at a time, as often as there are segments that are alike: what the service has done
# by the time it holds as many texts.
SQLITE_MERGE = "INSERT INTO message_search (message_search, rank) VALUES ('merge', 10000)"

CHUNK_TABLES = ("messages", "message_index", "message_search")


def fill_database(database_url: str, rows: int) -> None:
    """Put an archive of `rows` messages into a migrated, empty database that nobody else uses."""
    archive, began = Archive(rows), time.monotonic()
    if database_url.startswith("postgresql"):
        asyncio.run(_fill_postgres(database_url, archive))
    else:
        _fill_sqlite(Path(database_url.removeprefix("sqlite:///")), archive)
    print(f"  filled in {time.monotonic() - began:.0f} s", file=sys.stderr)


def _make_chunks(archive: Archive) -> Iterator[Iterator[tuple[str, Iterable[Any]]]]:
    """Tables and their rows, a chunk of messages at a time."""
    for first in range(1, archive.rows + 1, CHUNK_ROWS):
        made = zip(*archive.make_messages(first, first + CHUNK_ROWS - 1), strict=True)
        yield zip(CHUNK_TABLES, made, strict=True)
    others = archive.make_blocks(), archive.make_conversations()
    yield zip(("message_blocks", "conversations"), others, strict=True)


def _fill_sqlite(path: Path, archive: Archive) -> None:
    sqlite3.register_adapter(datetime, to_microseconds)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {pragma}")
        found = connection.execute(SQLITE_INDEXES).fetchall()
        indexes = [(name, definition) for table, name, definition in found if table in COLUMNS]
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for chunk in _make_chunks(archive):
            connection.execute("BEGIN")
            for table, rows in chunk:
                connection.executemany(_make_sqlite_insert(table), rows)
            _merge_search(connection)
            connection.execute("COMMIT")
        for _, definition in indexes:
            connection.execute(definition)


def _make_sqlite_insert(table: str) -> str:
    columns = COLUMNS[table] if table != "message_search" else ("rowid", "folded")
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def _merge_search(connection: sqlite3.Connection) -> None:
    changes = 2
    while changes >= 2:
        before = connection.total_changes
        connection.execute(SQLITE_MERGE)
        changes = connection.total_changes - before


async def _fill_postgres(database_url: str, archive: Archive) -> None:
    connection = await asyncpg.connect(database_url, ssl=False)
    try:
        await connection.execute("SET maintenance_work_mem = '1GB'")
        indexes = await connection.fetch(POSTGRES_INDEXES, list(COLUMNS))
        for name, _ in indexes:
            await connection.execute(f"DROP INDEX {name}")
        for chunk in _make_chunks(archive):
            for table, rows in chunk:
                await connection.copy_records_to_table(table, records=rows, columns=COLUMNS[table])
        for _, definition in indexes:
            await connection.execute(definition)
        for table in ("messages", "conversations"):
            await connection.execute(POSTGRES_NEXT_ID.format(table=table))
        # As autovacuum does in its own time.
        await connection.execute("VACUUM ANALYZE")
        # Otherwise writing the rows to disk would slow the measurement.
        await connection.execute("CHECKPOINT")
    finally:
        connection.terminate()
