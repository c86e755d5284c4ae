"""How statements take given values without being parsed and planned again for each of them.

Planning takes longer than most of them run.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, Column, ColumnElement, any_, bindparam, func, select


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


def keep_plans() -> ColumnElement[bool]:
    """Always true. From the statement on that has it as a condition, PostgreSQL plans each prepared
    statement of the transaction once, for values of any kind, instead of again for each value.

    To be used where every statement finds its rows by index, whatever the values are.
    """
    setting = func.set_config("plan_cache_mode", "force_generic_plan", True)
    # A subquery is run once, before any row is read.
    return select(setting).scalar_subquery().is_not(None)
