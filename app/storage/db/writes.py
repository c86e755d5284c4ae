"""Groups a transaction's writes: on PostgreSQL they are one statement, however many they are.

Each statement costs a round trip, and round trips take most of a short transaction's time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Executable,
    Select,
    TableClause,
    bindparam,
    column,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.selectable import TableValuedAlias

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False, slots=True)
class BulkWrite:
    """One statement for any number of rows with these columns, in either database's words.

    Its parameters are `name`, two underscores and the column: on PostgreSQL an array of each, on
    SQLite the values of a row. One underscore could make the name of another table's column, which
    SQLAlchemy would then set, too. To be made once: equal is only what is the same.
    """

    name: str
    columns: Sequence[str]
    on_postgres: Any
    on_sqlite: Executable

    def pack(self, rows: Sequence[Row]) -> dict[str, list[Any]]:
        """The parameters on PostgreSQL."""
        return {f"{self.name}__{each}": [row[each] for row in rows] for each in self.columns}

    def unpack(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The parameters on SQLite."""
        return [{f"{self.name}__{each}": row[each] for each in self.columns} for row in rows]


def make_bulk_insert(
    table: TableClause,
    columns: Sequence[str],
    on_conflict: Callable[[Any], Any] = lambda statement: statement,
    *,
    name: str | None = None,
) -> BulkWrite:
    """An INSERT; `on_conflict` adds what happens to existing rows."""
    name = name or table.name
    given = _give(name, table, columns)
    from_arrays = postgresql.insert(table).from_select(list(columns), select(*given.c))
    from_row = sqlite.insert(table).values({each: _bind(name, each) for each in columns})
    return BulkWrite(name, columns, on_conflict(from_arrays), on_conflict(from_row))


def make_bulk_update(table: TableClause, keys: Sequence[str], columns: Sequence[str]) -> BulkWrite:
    """An UPDATE of the rows with these keys."""
    given = _give(table.name, table, (*keys, *columns))
    by_array = update(table).where(*(table.c[each] == given.c[each] for each in keys))
    by_row = update(table).where(*(table.c[each] == _bind(table.name, each) for each in keys))
    return BulkWrite(
        table.name,
        (*keys, *columns),
        by_array.values({each: given.c[each] for each in columns}),
        by_row.values({each: _bind(table.name, each) for each in columns}),
    )


def _give(name: str, table: TableClause, columns: Sequence[str]) -> TableValuedAlias:
    """Rows from one array for each column, all of the same length."""
    types = {each: table.c[each].type for each in columns}
    arrays = [bindparam(f"{name}__{each}", type_=ARRAY(type_)) for each, type_ in types.items()]
    typed = [column(each, type_) for each, type_ in types.items()]
    rows = func.unnest(*arrays).table_valued(*typed, name=f"given_{name}")
    return rows.render_derived()


def _bind(name: str, column_name: str) -> Any:
    return bindparam(f"{name}__{column_name}")


class Writes:
    """Gathers rows until `run`. What is to see them, or to be seen by them, comes after it.

    Where transactions may write the same rows, all of them add their writes in one order.
    """

    def __init__(self) -> None:
        self._rows: dict[BulkWrite, list[Row]] = {}

    def add(self, write: BulkWrite, rows: Sequence[Row]) -> None:
        """Between two runs, add at most one row per key, and at most one update per table."""
        if rows:
            self._rows.setdefault(write, []).extend(rows)

    def run(self, conn: Connection) -> None:
        gathered, self._rows = self._rows, {}
        if gathered and conn.dialect.name == "postgresql":
            arrays: dict[str, list[Any]] = {}
            for write, rows in gathered.items():
                arrays |= write.pack(rows)
            conn.execute(_join(*gathered), arrays)
            return
        for write, rows in gathered.items():
            conn.execute(write.on_sqlite, write.unpack(rows))


@cache
def _join(*writes: BulkWrite) -> Select[Any]:
    parts = [write.on_postgres.cte(f"write_{write.name}") for write in writes]
    return select(literal_column("1")).add_cte(*parts)
