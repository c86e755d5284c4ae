"""The one statement of the hot path: a batch of inbound messages, stored once each and in order."""

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import Connection

from app.domain.batches import cut
from app.domain.errors import Unavailable
from app.domain.inbound.messages import InboundMessage
from app.domain.times import to_microseconds
from app.storage.db.database import Database, PostgresDatabase
from app.storage.db.postgres.connector import Connector
from app.storage.db.postgres.pooled import is_pooled
from app.storage.db.sqlite.database import SqliteDatabase
from app.storage.db.sqlite.engine import get_driver

# One lock for all who insert messages: it makes their ids commit in order, so that a feed that
# follows the ids misses none, and ends deadlocks between processes with the same redeliveries.
MESSAGES_LOCK = 0x4C455454_4D534753

STATEMENT_TIMEOUT = "900ms"

COLUMNS = (
    "dedupe_key",
    "provider_id",
    "source",
    "dest",
    "body",
    "received_at",
    "received_raw",
    "arrived_at",
    "stored_at",
    "via",
    "merge_fields",
    "extra",
    "problems",
    "raw",
)

# Rows of one SQLite statement; the driver caches one statement for each length.
STATEMENT_ROWS = 64

# One `stored_at` for all, the other columns as an array each.
_POSTGRES_INSERT = f"""
WITH l AS MATERIALIZED (SELECT pg_advisory_xact_lock({MESSAGES_LOCK}))
INSERT INTO messages ({", ".join(COLUMNS)})
SELECT u.dedupe_key, u.provider_id, u.source, u.dest, u.body, u.received_at, u.received_raw,
       u.arrived_at, $9::timestamptz, u.via, u.merge_fields, u.extra, u.problems, u.raw
FROM l, unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
               $7::text[], $8::timestamptz[], $10::text[], $11::json[], $12::json[], $13::text[],
               $14::bytea[])
     AS u ({", ".join(column for column in COLUMNS if column != "stored_at")})
ON CONFLICT (dedupe_key) DO NOTHING
"""  # noqa: S608 constants

# `json.dumps` would build an encoder with each call.
_encode = json.JSONEncoder(ensure_ascii=False).encode

_PROBE_KEY = b"probe"
# With a fixed id, so that probes use up none.
_POSTGRES_PROBE = f"""
SELECT pg_advisory_xact_lock({MESSAGES_LOCK});
INSERT INTO messages (id, {", ".join(COLUMNS)})
VALUES (0, 'probe', NULL, '', '', '', now(), NULL, now(), now(), 'forward', '{{}}', '{{}}', '', '')
"""  # noqa: S608 constants


class RowsRefusedError(Exception):
    """A row of this batch can never be stored; the database itself is well."""


class PassingError(Exception):
    """A deadlock, a serialisation failure or a stale plan: a retry at once may succeed."""


class Inserter(ABC):
    """Stores batches. Any other error than the two above means that the database is unavailable."""

    @abstractmethod
    async def insert(self, batch: Sequence[InboundMessage], stored_at: datetime) -> int:
        """Commit the batch; returns how many were new, the rest being redeliveries."""

    @abstractmethod
    async def probe(self, now: datetime) -> None:
        """Insert a row and roll it back; raises if storing would fail."""

    def look(self) -> bool:
        """Whether the database's file is still the one that others find; False: not known now.

        Raises if it is another.
        """
        return True

    @abstractmethod
    def abandon(self) -> None:
        """Drop a connection that does not answer, without waiting for it."""


def make_inserter(database: Database) -> Inserter:
    if isinstance(database, PostgresDatabase):
        return PostgresInserter(database.connector)
    if isinstance(database, SqliteDatabase):
        return SqliteInserter(database)
    raise TypeError(database)


class SqliteInserter(Inserter):
    """Batches go to the writer thread as one transaction each."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._writer = database.writer

    async def insert(self, batch: Sequence[InboundMessage], stored_at: datetime) -> int:
        stamp = to_microseconds(stored_at)
        rows = [_make_row(message, stamp, to_microseconds) for message in batch]
        return await self._writer.submit(lambda conn: _insert_rows(conn, rows), intake=True)

    async def probe(self, now: datetime) -> None:
        await self._database.mend()
        row = _make_probe_row(to_microseconds(now))
        await self._writer.submit(lambda conn: _insert_rows(conn, [row], keep=False), intake=True)

    def look(self) -> bool:
        return self._database.look(for_messages=True)

    def abandon(self) -> None:
        """A thread inside fsync cannot be stopped; its late commit is harmless (same keys)."""


class PostgresInserter(Inserter):
    """One dedicated connection with the statement prepared; autocommitted.

    Through a pooler by transaction it is neither prepared nor the same session each time.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connection: Any = None
        self._statement: Any = None

    async def insert(self, batch: Sequence[InboundMessage], stored_at: datetime) -> int:
        rows = [_make_row(message, None, _as_it_is) for message in batch]
        columns: list[Any] = [*zip(*rows, strict=True)]
        columns[COLUMNS.index("stored_at")] = stored_at
        return await self._insert(columns)

    async def probe(self, now: datetime) -> None:  # noqa: ARG002 the database's own clock will do
        await self._prepare()
        transaction = self._connection.transaction()
        await transaction.start()
        await self._connection.execute(_POSTGRES_PROBE)
        await transaction.rollback()

    def abandon(self) -> None:
        connection, self._connection, self._statement = self._connection, None, None
        if connection is not None:
            connection.terminate()

    async def _prepare(self) -> None:
        connection = self._connection
        if connection is not None and self._connector.is_behind(connection):
            self.abandon()
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connector.connect(statement_timeout=STATEMENT_TIMEOUT)
            if not is_pooled(self._connection):
                self._statement = await self._connection.prepare(_POSTGRES_INSERT)

    async def _insert(self, columns: list[Any]) -> int:
        try:
            await self._prepare()
            status = await self._run(columns)
        except UnicodeEncodeError as error:
            raise RowsRefusedError(str(error)) from error
        except asyncpg.PostgresError as error:
            _raise_by_state(error)
            raise
        # From the tag `INSERT 0 n`: returning rows would cost more.
        return int(status.rpartition(" ")[2])

    async def _run(self, columns: list[Any]) -> str:
        if self._statement is None:
            async with self._connection.transaction():
                return str(await self._connection.execute(_POSTGRES_INSERT, *columns))
        await self._statement.fetch(*columns)
        return str(self._statement.get_statusmsg())


def _raise_by_state(error: asyncpg.PostgresError) -> None:
    """Classes 22, 23 and 54 are errors of the data; 40P01, 40001 and a stale plan are passing."""
    state = error.sqlstate or ""
    if state[:2] in {"22", "23", "54"} or isinstance(error, asyncpg.DataError):
        raise RowsRefusedError(type(error).__name__) from error
    if state in {"40P01", "40001"} or isinstance(error, asyncpg.InvalidCachedStatementError):
        raise PassingError(state) from error


def _insert_rows(connection: Connection, rows: list[tuple[Any, ...]], *, keep: bool = True) -> int:
    """Straight to the driver: through SQLAlchemy the same batch takes 1.7 times as long.

    Most batches are one statement and so one transaction, which runs without Python's lock. The
    event loop releases that lock only when it is idle: single rows, or a COMMIT of its own, would
    wait for it each time.
    """
    driver = get_driver(connection)
    stored = 0
    try:
        if len(rows) > STATEMENT_ROWS or not keep:
            driver.execute("BEGIN IMMEDIATE")
        for chunk in cut(rows, STATEMENT_ROWS):
            values = [value for row in chunk for value in row]
            stored += driver.execute(_make_sqlite_insert(len(chunk)), values).rowcount
        if driver.in_transaction and keep:
            driver.execute("COMMIT")
    except (sqlite3.DataError, sqlite3.IntegrityError, OverflowError, UnicodeEncodeError) as error:
        raise RowsRefusedError(type(error).__name__) from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        raise Unavailable("another program holds the SQLite file") from None
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
    return stored


@lru_cache(maxsize=STATEMENT_ROWS)
def _make_sqlite_insert(rows: int) -> str:
    marks = f"({', '.join('?' * len(COLUMNS))})"
    return (
        f"INSERT INTO messages ({', '.join(COLUMNS)}) VALUES {', '.join([marks] * rows)}"  # noqa: S608 constants
        " ON CONFLICT (dedupe_key) DO NOTHING"
    )


def _as_it_is(time: datetime) -> datetime:
    return time


def _make_row(
    message: InboundMessage, stored_at: Any, to_time: Callable[[datetime], Any]
) -> tuple[Any, ...]:
    return (
        message.dedupe_key,
        message.provider_id,
        message.source,
        message.dest,
        message.body,
        to_time(message.received_at),
        message.received_raw,
        to_time(message.arrived_at),
        stored_at,
        message.via,
        _to_json(message.merge_fields),
        _to_json(message.extra),
        " ".join(message.problems),
        message.raw,
    )


def _to_json(fields: dict[str, str]) -> str:
    return _encode(fields) if fields else "{}"


def _make_probe_row(now: Any) -> tuple[Any, ...]:
    return (_PROBE_KEY, None, "", "", "", now, None, now, now, "forward", "{}", "{}", "", b"")
