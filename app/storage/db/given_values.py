"""Conditions on many given values that need no other statement for each number of them.

A statement that is new to the database is parsed and planned, which takes longer than it runs.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, Column, ColumnElement, any_, bindparam


def is_among(dialect: str, column: Column[Any], name: str) -> ColumnElement[bool]:
    """Whether the column has one of the values in the parameter, which are from `pad_values`."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))


def pad_values(values: Collection[Any]) -> list[Any]:
    """As many as a power of two, the last one several times: SQLite takes no arrays."""
    padded = list(values)
    if padded:
        size = 1 << (len(padded) - 1).bit_length()
        padded += padded[-1:] * (size - len(padded))
    return padded
