"""What all tables share: their registry, ids, times and partial indexes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from json import JSONDecoder
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    text,
)
from sqlalchemy.types import TypeEngine

from app.domain.times import from_microseconds, to_microseconds

metadata = MetaData()

# SQLite has 64-bit row ids only for INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")


_JSON = JSONDecoder()


def read_json(text: str) -> Any:
    """What a column holds, which a database wrote: without blanks before and after it.

    Looking for them takes `json.loads` as long as all the rest.
    """
    return _JSON.raw_decode(text)[0]


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, whole microseconds on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    # The whole of what `process_bind_param` and `process_result_value` would do, for half the time.
    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        return None if dialect.name == "postgresql" else _write_time

    def result_processor(
        self,
        dialect: Dialect,
        coltype: object,  # noqa: ARG002 SQLAlchemy's signature
    ) -> Callable[[Any], datetime | None] | None:
        # asyncpg's times are UTC.
        return None if dialect.name == "postgresql" else _read_time


def _write_time(value: datetime | None) -> int | None:
    return None if value is None else to_microseconds(value)


def _read_time(value: int | None) -> datetime | None:
    return None if value is None else from_microseconds(value)


def make_id() -> Column[int]:
    """A primary key that the database counts up."""
    return Column("id", BigId, Identity(always=False), primary_key=True)


def add_partial_index(
    name: str, table: Table, columns: Sequence[str], where: str, *, unique: bool = False
) -> None:
    """An index of the rows that fulfil `where`, SQL that works on both databases."""
    Index(
        name,
        *(table.c[column] for column in columns),
        unique=unique,
        postgresql_where=text(where),
        sqlite_where=text(where),
    )
