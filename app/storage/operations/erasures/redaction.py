"""Takes a number out of single rows, whatever table they are in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Table, delete, select, update

from app.domain.written_numbers import ERASED, NumberForms
from app.storage.db.key_walks import Key, has_key
from app.storage.operations.personal_data.places import list_columns

# What was done to a row; None: nothing, because it has to wait.
Done = Literal["removed", "changed"] | None


@dataclass(frozen=True, slots=True)
class Erasing:
    """What rows are cleaned of, and when."""

    forms: NumberForms
    now: datetime


def read_row(conn: Connection, table: Table, key: Key) -> Any | None:
    """The row, locked; None where it has gone."""
    query = select(table).where(has_key(table, key)).with_for_update()
    return conn.execute(query).first()


def remove_row(conn: Connection, table: Table, key: Key) -> Done:
    return "removed" if conn.execute(delete(table).where(has_key(table, key))).rowcount else None


def redact_row(
    conn: Connection, table: Table, key: Key, erasing: Erasing, word: str = ERASED, **more: Any
) -> Done:
    """Write `word` for the number in every column, and `more` values besides.

    A row that is known by the number, or by its digest, is removed instead.
    """
    row = read_row(conn, table, key)
    if row is None:
        return None
    forms, values = erasing.forms, {}
    for column in list_columns(table):
        value = row._mapping[column.name]
        if not forms.is_in(value):
            continue
        if column.primary_key or value == forms.key:
            return remove_row(conn, table, key)
        values[column.name] = forms.redact(value, word)
    if not values:
        return None
    conn.execute(update(table).where(has_key(table, key)).values({**values, **more}))
    return "changed"


def is_named_by(row: Any, forms: NumberForms, *columns: str) -> bool:
    """Whether one of these columns has the number in it."""
    return any(forms.is_in(row._mapping[name]) for name in columns)
