"""Copies every table to another database, a step at a time, so that it can be taken up again.

Rows are copied in the order of their keys, each step in a transaction: how far it is shows in the
rows themselves. Until the end a table `unfinished_move` keeps services away.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Text,
    cast,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy import Table as Table
from sqlalchemy.util import await_only

from app.domain.errors import SetupError
from app.domain.times import to_microseconds
from app.storage.db.columns import UtcTime, metadata
from app.storage.db.key_walks import Key, select_after

# A row, in the order of its table's columns.
Values = tuple[Any, ...]

STEP = 2_000
MARK = "unfinished_move"


def list_tables_to_move(leave_out: frozenset[str]) -> list[Table]:
    """Every table but those, what is referred to first."""
    return [table for table in metadata.sorted_tables if table.name not in leave_out]


def is_moving(conn: Connection) -> bool:
    """Whether a move into this database has begun and is not finished."""
    return inspect(conn).has_table(MARK)


def begin_move(conn: Connection, source: str) -> None:
    """Empty the tables of a new database, which the migrations left a few rows in, and mark it.

    Raises SetupError where there is more, or another move was begun.
    """
    if is_moving(conn):
        if conn.execute(text(f"SELECT source FROM {MARK}")).scalar() != source:  # noqa: S608
            raise SetupError("another database was being moved to this one: name an empty one")
        return
    tables = list(reversed(metadata.sorted_tables))
    for name in ("messages", "outbound", "members", "audit", "processes"):
        if conn.execute(select(metadata.tables[name]).limit(1)).first() is not None:
            raise SetupError("the database to move to has been used: name an empty one")
    for table in tables:
        conn.execute(table.delete())
    conn.execute(text(f"CREATE TABLE {MARK} (source text NOT NULL)"))
    conn.execute(text(f"INSERT INTO {MARK} VALUES (:source)"), {"source": source})  # noqa: S608


def end_move(conn: Connection) -> None:
    conn.execute(text(f"DROP TABLE {MARK}"))


def count_rows(conn: Connection, table: Table) -> int:
    return conn.execute(select(func.count()).select_from(table)).scalar_one()


def find_last_key(conn: Connection, table: Table) -> Key | None:
    """The greatest key that is there."""
    keys = list(table.primary_key)
    row = conn.execute(select(*keys).order_by(*(key.desc() for key in keys)).limit(1)).first()
    return None if row is None else tuple(row)


def read_step(conn: Connection, table: Table, after: Key | None) -> list[Values]:
    """The next rows by their keys, STEP of them unless they are the last."""
    columns = [_as_stored(column) for column in table.c]
    rows = conn.execute(select_after(table, after, columns).limit(STEP))
    return [tuple(row) for row in rows]


def write_step(conn: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Add rows that `read_step` read. Raises SetupError where PostgreSQL cannot store one."""
    names = [column.name for column in table.c]
    driver: Any = conn.connection.driver_connection
    if conn.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        insert = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 our own names
        conn.exec_driver_sql(insert, list(_write_times(table, rows)))
        return
    try:
        await_only(driver.copy_records_to_table(table.name, records=rows, columns=names))
    except asyncpg.DataError as error:
        raise SetupError(f"PostgreSQL cannot store a row of {table.name}: {error}") from None


def get_key(table: Table, row: Values) -> Key:
    """The primary key of a row that `read_step` read."""
    names = list(table.c)
    return tuple(row[names.index(key)] for key in table.primary_key)


def read_counter(conn: Connection, table: Table) -> int:
    """The last id that the table gave, which may be of a row that is gone."""
    if conn.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return conn.execute(query, {"name": table.name}).scalar() or 0
    query = text(f"SELECT last_value, is_called FROM {_find_sequence(conn, table)}")  # noqa: S608
    last, is_called = conn.execute(query).one()
    return int(last) if is_called else 0


def write_counter(conn: Connection, table: Table, last: int) -> None:
    """Go on after that id."""
    if not last:
        return
    if conn.dialect.name == "sqlite":
        values = {"name": table.name, "last": last}
        conn.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        conn.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)
        return
    sequence = _find_sequence(conn, table)
    conn.execute(text(f"SELECT setval('{sequence}', :last)"), {"last": last})


def has_counter(table: Table) -> bool:
    return bool(table.dialect_options["sqlite"].get("autoincrement"))


def digest_step(conn: Connection, table: Table, after: Key | None) -> tuple[bytes, Key | None, int]:
    """A digest of the next rows, alike on both databases; the last key, and how many they were."""
    rows = read_step(conn, table, after)
    last = get_key(table, rows[-1]) if rows else None
    # Python writes the values of these types alike, and faster than anything by hand.
    return hashlib.sha256(repr(rows).encode()).digest(), last, len(rows)


def _as_stored(column: Column[Any]) -> ColumnElement[Any]:
    """JSON as the text that it is: an object would be written anew, and NULL become `null`."""
    is_json = isinstance(column.type, JSON)
    return cast(column, Text).label(column.name) if is_json else column


def _write_times(table: Table, rows: Sequence[Values]) -> Iterator[Values]:
    places = [at for at, column in enumerate(table.c) if isinstance(column.type, UtcTime)]
    for row in rows:
        values = list(row)
        for at in places:
            if values[at] is not None:
                values[at] = to_microseconds(values[at])
        yield tuple(values)


def _find_sequence(conn: Connection, table: Table) -> str:
    find = text("SELECT pg_get_serial_sequence(:name, 'id')")
    return str(conn.execute(find, {"name": table.name}).scalar_one())
