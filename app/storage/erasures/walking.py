"""Looks through every column of every table for a number, a window of rows at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    select,
    tuple_,
)

from app.domain.erasures.number_forms import NumberForms
from app.storage.db.columns import metadata

WINDOW_ROWS = 500
# Most other numbers with the same digits in them that a scan remembers.
MOST_OTHERS = 1_000
# What SQLite keeps of a search index is no text: see storage/outbound/erasing.py.
_indexes = MetaData()
SEARCH_TABLES = tuple(
    Table(name, _indexes, Column(key, BigInteger, primary_key=True), Column("folded", Text))
    for name, key in (("message_search", "message_id"), ("outbound_search", "outbound_id"))
)

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of a table: `last` is the key of the last one, None at the end. `hits` are the keys
    of those with the number in them, `others` are other numbers that have its digits in them.
    """

    rows: int
    last: Key | None
    hits: list[Key] = field(default_factory=list)
    others: set[bytes] = field(default_factory=set)


def list_scanned_tables(dialect: str) -> list[Table]:
    """Every table with a column that may hold a number, texts and messages first."""
    tables = [each for each in metadata.sorted_tables if list_columns(each)]
    if dialect == "postgresql":
        tables += SEARCH_TABLES
    first = ("outbound", "messages")
    return sorted(tables, key=lambda each: first.index(each.name) if each.name in first else 2)


def list_columns(table: Table) -> list[Column[Any]]:
    """The columns of text, JSON or bytes."""
    return [each for each in table.c if isinstance(each.type, Text | JSON | LargeBinary)]


def look_through(conn: Connection, table: Table, forms: NumberForms, after: Key | None) -> Window:
    """The next rows of a table behind that key."""
    keys = list(table.primary_key)
    columns = list_columns(table)
    query = select(*keys, *(each for each in columns if each not in keys)).order_by(*keys)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after) if len(keys) > 1 else keys[0] > after[0])
    rows = conn.execute(query.limit(WINDOW_ROWS)).all()
    places = [each.name for each in columns]
    found = Window(len(rows), _read_key(rows[-1], keys) if len(rows) == WINDOW_ROWS else None)
    for row in rows:
        values = [getattr(row, name) for name in places]
        if any(forms.is_in(each) for each in values):
            found.hits.append(_read_key(row, keys))
        if len(found.others) < MOST_OTHERS:
            for each in values:
                data = each if isinstance(each, bytes) else str(each)
                found.others.update(forms.list_others(data))
    return found


def match_key(table: Table, key: Key) -> Any:
    """The condition for one row."""
    condition: Any = None
    for column, value in zip(table.primary_key, key, strict=True):
        same = column == value
        condition = same if condition is None else condition & same
    return condition


def _read_key(row: Any, keys: Sequence[Column[Any]]) -> Key:
    return tuple(row._mapping[each.name] for each in keys)
