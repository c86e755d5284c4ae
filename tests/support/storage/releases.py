"""What a release left behind: digests of its migrations, and rows of every table of its schema.

`tests/storage/db/releases/VERSION.json` is written once, when a release is made:
`python -m tests.support.storage.write_release`. Rows are kept apart from any database: a time is
`{"time": …}` and bytes are `{"bytes": …}`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, text

from app.domain.times import to_microseconds
from app.storage.db.migrate import MIGRATIONS

FOLDER = Path(__file__).parents[2] / "storage/db/releases"
# SQLite keeps these in a virtual table, which gives nothing back: (its name, its key).
SEARCHES = {"message_search": "message_id", "outbound_search": "outbound_id"}
NOT_OURS = {"alembic_version", "sqlite_sequence"}

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Release:
    """`migrations` are digests by the names of files; `rows` by table, referred to first."""

    version: str
    revision: str
    migrations: dict[str, str]
    rows: Rows


def list_versions() -> list[str]:
    """The releases there were, oldest first."""
    versions = (file.stem for file in FOLDER.glob("*.json"))
    return sorted(versions, key=lambda version: [int(part) for part in version.split(".")])


def read_release(version: str) -> Release:
    return Release(version, **json.loads((FOLDER / f"{version}.json").read_text()))


def digest_migrations() -> dict[str, str]:
    """Of all that are here now, in their order."""
    files = sorted((MIGRATIONS / "versions").glob("[0-9]*_*.py"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def dump_rows(conn: Connection) -> Rows:
    """Every row of a PostgreSQL database."""
    return {
        table.name: [_write_row(row._asdict()) for row in conn.execute(select(table))]
        for table in _reflect(conn).sorted_tables
    }


def load_rows(conn: Connection, rows: Rows) -> None:
    """Have exactly those rows in the tables, as the program that wrote them inserts them."""
    reflected = _reflect(conn)
    for name in reversed(rows):
        if name in reflected.tables:
            conn.execute(reflected.tables[name].delete())
    for name, of_table in rows.items():
        if name in SEARCHES and conn.dialect.name == "sqlite":
            _fill_search(conn, name, of_table)
        elif of_table:
            table = reflected.tables[name]
            conn.execute(insert(table), [_read_row(conn, each) for each in of_table])
            _count_on(conn, table)


def find_lost(conn: Connection, rows: Rows) -> list[str]:
    """What is no longer there of the rows, or no longer as it was, named by table and column."""
    reflected = _reflect(conn)
    lost = []
    for name, of_table in rows.items():
        if name in SEARCHES and conn.dialect.name == "sqlite":
            continue
        if name not in reflected.tables:
            lost.append(name)
        elif of_table:
            lost += _find_lost(conn, reflected.tables[name], of_table)
    return lost


def list_empty(conn: Connection) -> list[str]:
    """The tables that have no row."""
    tables = _reflect(conn).sorted_tables
    return [each.name for each in tables if conn.execute(select(each).limit(1)).first() is None]


def _find_lost(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(rows[0])
    if missing := [name for name in names if name not in table.c]:
        return [f"{table.name}.{name}" for name in missing]
    found = conn.execute(select(*(table.c[name] for name in names)))
    present = [_write_row(row._asdict()) for row in found]
    # Without a type a time of SQLite is a number.
    wanted = [_plain(conn, row) for row in rows]
    return [] if all(row in present for row in wanted) else [table.name]


def _reflect(conn: Connection) -> MetaData:
    """The tables as they are, those of the program that made them."""
    names = set(inspect(conn).get_table_names()) - NOT_OURS
    if conn.dialect.name == "sqlite":
        names = {name for name in names if not name.startswith(tuple(SEARCHES))}
    reflected = MetaData()
    reflected.reflect(conn, only=sorted(names))
    return reflected


def _write_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _write(value) for name, value in row.items()}


def _write(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"time": value.astimezone(UTC).isoformat()}
    if isinstance(value, bytes | memoryview):
        return {"bytes": bytes(value).hex()}
    return value


def _read_row(conn: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _read(conn, value) for name, value in row.items()}


def _read(conn: Connection, value: Any) -> Any:
    match value:
        case {"time": str(at)}:
            moment = datetime.fromisoformat(at)
            return moment if conn.dialect.name == "postgresql" else to_microseconds(moment)
        case {"bytes": str(digits)}:
            return bytes.fromhex(digits)
        case _:
            return value


def _plain(conn: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    return _write_row(_read_row(conn, row))


def _fill_search(conn: Connection, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    fill = text(f"INSERT INTO {name} (rowid, folded) VALUES (:id, :folded)")
    for row in rows:
        conn.execute(fill, {"id": row[SEARCHES[name]], "folded": row["folded"]})


def _count_on(conn: Connection, table: Table) -> None:
    """New rows get ids after those that are there; SQLite sees to it itself."""
    if conn.dialect.name == "postgresql" and "id" in table.c:
        find = text("SELECT pg_get_serial_sequence(:name, 'id')")
        sequence = conn.execute(find, {"name": table.name}).scalar()
        if sequence is not None:
            last = select(func.max(table.c.id)).scalar_subquery()
            conn.execute(select(func.setval(sequence, last)))
