"""Opens SQLite's file: durable, in WAL mode, with transactions of our own; and reads its errors."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

from app.storage.db.columns import read_json
from app.storage.db.keyed_digests import OPTION, DigestKey

READ_THREADS = 4
# What each connection keeps of the file. The readers' pages are in the system's cache, too.
WRITE_CACHE_KIB = 16_000
READ_CACHE_KIB = 4_000
BUSY_SECONDS = 10.0
# More than there are: a bulk write is one for each power of two of rows.
STATEMENTS = 512

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# It may work later: the file is locked, or the disk is full, read-only or failing.
PASSING = BUSY | {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_READONLY,
}
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class _HintedCompiler(SQLiteCompiler):
    """Writes the hints of a query (`INDEXED BY`), which SQLAlchemy leaves out for SQLite."""

    def get_from_hint_text(self, table: object, text: str | None) -> str | None:  # noqa: ARG002
        return text


def make_sqlite_engine(
    path: Path,
    *,
    may_create: Callable[[], bool],
    read_only: bool = False,
    busy_timeout_seconds: float = BUSY_SECONDS,
    digest_key: DigestKey | None = None,
) -> Engine:
    """An engine that begins its own transactions: the driver's begin too late to take a lock.

    What is deleted is written over.

    Commits make no checkpoints, only `SqliteDatabase` does, or the last connection that closes:
    to notice writes by other programs it must know its own.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={
            "isolation_level": None,
            "check_same_thread": False,
            "cached_statements": STATEMENTS,
        },
        pool_size=READ_THREADS if read_only else 1,
        hide_parameters=True,
        json_deserializer=read_json,
        execution_options={OPTION: digest_key},
    )
    engine.dialect.statement_compiler = _HintedCompiler
    pragmas = [
        f"PRAGMA busy_timeout = {int(busy_timeout_seconds * 1000)}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        f"PRAGMA cache_size = {-(READ_CACHE_KIB if read_only else WRITE_CACHE_KIB)}",
        "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA secure_delete = ON",
    ]
    if read_only:
        pragmas.append("PRAGMA query_only = ON")

    @event.listens_for(engine, "do_connect")
    def connect(
        _dialect: object, _record: object, _arguments: object, options: dict[str, Any]
    ) -> sqlite3.Connection:
        if may_create():
            make_private(path)
        url = f"file:{quote(str(path))}?mode=rw"
        opened: sqlite3.Connection = sqlite3.connect(url, uri=True, **options)
        return opened

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def make_private(path: Path) -> None:
    """Create the file if it is missing, so that no other user of the machine can read it.

    SQLite gives the files beside it the same mode, and reports what fails here itself. An existing
    file is not opened: closing it would release SQLite's locks.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def get_driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection, for what cannot run in a transaction."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def is_passing(error: BaseException) -> bool:
    """Whether SQLite may do it later: the file is locked, or the disk is full or failing."""
    return read_code(error) in PASSING


def read_code(error: BaseException) -> int:
    """SQLite's own code for an error, of the driver's or of SQLAlchemy's."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return int(code) & 0xFF
