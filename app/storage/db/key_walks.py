"""Walks through whole tables in the order of their keys, so many rows at a time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, select, tuple_

# A row's primary key.
Key = tuple[Any, ...]


def select_after(
    table: Table, after: Key | None, columns: Sequence[ColumnElement[Any]] = ()
) -> Select[Any]:
    """The rows behind a key, or all, in the order of their keys; of all columns unless some are
    named.
    """
    keys = list(table.primary_key)
    query = select(*(columns or table.c)).order_by(*keys)
    return query if after is None else query.where(_is_after(keys, after))


def is_up_to(table: Table, last: Key) -> ColumnElement[bool]:
    """Whether a row's key is that one, or comes before it."""
    keys = list(table.primary_key)
    return tuple_(*keys) <= tuple_(*_bind("last", keys, last))


def find_key(conn: Connection, table: Table, after: Key | None, count: int) -> Key | None:
    """The key of the row that is so many behind a key; None where there are not as many."""
    keys = list(table.primary_key)
    query = select(*keys).order_by(*keys).limit(1).offset(count - 1)
    row = conn.execute(query if after is None else query.where(_is_after(keys, after))).first()
    return None if row is None else tuple(row)


def _is_after(keys: Sequence[Any], after: Key) -> ColumnElement[bool]:
    return tuple_(*keys) > tuple_(*_bind("after", keys, after))


def _bind(name: str, keys: Sequence[Any], values: Key) -> list[Any]:
    return [
        bindparam(f"{name}_{key.name}", value, key.type)
        for key, value in zip(keys, values, strict=True)
    ]
