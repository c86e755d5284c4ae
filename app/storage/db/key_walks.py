"""Walks through whole tables in the order of their keys, so many rows at a time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, bindparam, select, tuple_

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


def get_key(table: Table, row: Row[Any]) -> Key:
    """The key of a row with all columns of its key."""
    return tuple(row._mapping[each] for each in table.primary_key)


def has_key(table: Table, key: Key) -> ColumnElement[bool]:
    """The condition for one row."""
    pairs = zip(table.primary_key, key, strict=True)
    return and_(*(column == value for column, value in pairs))


def _is_after(keys: Sequence[Any], after: Key) -> ColumnElement[bool]:
    values = [
        bindparam(f"after_{key.name}", value, key.type)
        for key, value in zip(keys, after, strict=True)
    ]
    return tuple_(*keys) > tuple_(*values)
