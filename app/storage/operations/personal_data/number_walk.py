"""Looks through tables for a number, a window of rows at a time: for exports and for erasures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, false

from app.domain.written_numbers import NumberForms
from app.storage.db.key_walks import Key, get_key, select_after

WINDOW_ROWS = 500
# Most other numbers with the same digits in them that a window tells of.
MOST_OTHERS = 1_000

_IS_OWN = "is_own_row"


@dataclass(frozen=True, slots=True)
class Found:
    """A row in which a number stands: its own, or one that only speaks of it in `columns`."""

    row: Row[Any]
    is_own: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of a table: `last` is the key of the last one, None at the end."""

    rows: list[Row[Any]]
    last: Key | None
    found: list[Found] = field(default_factory=list)


def look_through(
    conn: Connection,
    table: Table,
    columns: Sequence[Column[Any]],
    forms: NumberForms,
    after: Key | None,
    own: ColumnElement[bool] | None = None,
) -> Window:
    """Find the number in some columns of the next rows behind that key; rows that are `own` count
    as found in any case.

    The database itself is not asked: it knows neither what is escaped nor other scripts' digits.
    """
    query = select_after(table, after).add_columns((false() if own is None else own).label(_IS_OWN))
    rows = list(conn.execute(query.limit(WINDOW_ROWS)).all())
    window = Window(rows, get_key(table, rows[-1]) if len(rows) == WINDOW_ROWS else None)
    for row in rows:
        having = tuple(each.name for each in columns if forms.is_in(row._mapping[each]))
        if having or row._mapping[_IS_OWN]:
            window.found.append(Found(row, bool(row._mapping[_IS_OWN]), having))
    return window


def list_others(window: Window, columns: Sequence[Column[Any]], forms: NumberForms) -> set[bytes]:
    """Other numbers in a window that have this one's digits in them, such as longer ones."""
    others: set[bytes] = set()
    for row in window.rows:
        for column in columns:
            value = row._mapping[column]
            others |= forms.list_others(value if isinstance(value, bytes) else str(value))
        if len(others) >= MOST_OTHERS:
            break
    return others
