"""Groups a transaction's writes: on PostgreSQL they are one statement, however many they are.

Each statement costs a round trip there, and on SQLite each step of one costs Python's lock, which a
busy event loop is slow to return: so there many rows are one step, too. The statements are compiled
once and go to the driver: SQLAlchemy's work for each value takes longer than writing it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    Dialect,
    LargeBinary,
    Select,
    TableClause,
    bindparam,
    column,
    func,
    literal_column,
    select,
    table,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.selectable import FromClause
from sqlalchemy.types import TypeEngine

Row = Mapping[str, Any]
Convert = Callable[[Any], Any]

# Rows of one statement on SQLite: powers of two, because each other number is parsed anew.
MOST_ROWS = 256


@dataclass(frozen=True, eq=False, slots=True)
class BulkWrite:
    """One statement for any number of rows with these columns, in either database's words.

    Both read the rows from a table `given_<name>`: on PostgreSQL it is made of an array for each
    column, on SQLite it is a list of VALUES. To be made once: equal is only what is the same.
    """

    name: str
    columns: Mapping[str, TypeEngine[Any]]
    on_postgres: Any
    on_sqlite: Any

    def run(self, conn: Connection, rows: Sequence[Row]) -> list[Any]:
        """Write the rows; returns the rows of its RETURNING, with values as the driver has them."""
        if conn.dialect.name == "postgresql":
            return _run_on_postgres(conn, self.on_postgres, self.pack(conn.dialect, rows))
        return self._run_on_sqlite(conn, rows)

    def pack(self, dialect: Dialect, rows: Sequence[Row]) -> Mapping[str, Sequence[Any]]:
        """The parameters on PostgreSQL, by name."""
        names = [f"{self.name}__{each}" for each in self.columns]
        return dict(zip(names, self._take_columns(dialect, rows), strict=True))

    def _run_on_sqlite(self, conn: Connection, rows: Sequence[Row]) -> list[Any]:
        statement, constants = _compile(self.on_sqlite, conn.dialect)
        values = [*zip(*self._take_columns(conn.dialect, rows), strict=True)]
        returned: list[Any] = []
        for chunk in _cut_evenly(values):
            sql = _list_values(self.name, tuple(self.columns), len(chunk)) + statement
            parameters = [*chain.from_iterable(chunk), *constants.values()]
            returned += _execute_on_sqlite(conn, sql, parameters)
        return returned

    def _take_columns(self, dialect: Dialect, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """The values of each column, as the driver wants them."""
        take = itemgetter(*self.columns, next(iter(self.columns)))  # a tuple even of one column
        found: list[Any] = [*zip(*map(take, rows), strict=True)][:-1]
        for place, type_ in enumerate(self.columns.values()):
            if (convert := _find_converter(type_, dialect)) is not None:
                found[place] = [*map(convert, found[place])]
        return found


def make_bulk_insert(
    table: TableClause,
    columns: Sequence[str],
    on_conflict: Callable[[Any], Any] = lambda statement: statement,
    *,
    name: str | None = None,
) -> BulkWrite:
    """An INSERT; `on_conflict` adds what happens to existing rows, and what is returned."""
    name = name or table.name
    types = {each: table.c[each].type for each in columns}

    def insert(words: Any, given: FromClause) -> Any:
        # SQLite would take ON CONFLICT for a join's condition without the WHERE.
        rows = select(*given.c).where(true())
        return on_conflict(words.insert(table).from_select(list(columns), rows))

    from_arrays = insert(postgresql, _give_arrays(name, types))
    return BulkWrite(name, types, from_arrays, insert(sqlite, _give_values(name, types)))


def make_bulk_update(table: TableClause, keys: Sequence[str], columns: Sequence[str]) -> BulkWrite:
    """An UPDATE of the rows with these keys."""
    types = {each: table.c[each].type for each in (*keys, *columns)}

    def change(given: FromClause) -> Any:
        statement = update(table).where(*(table.c[each] == given.c[each] for each in keys))
        return statement.values({each: given.c[each] for each in columns})

    by_array = change(_give_arrays(table.name, types))
    return BulkWrite(table.name, types, by_array, change(_give_values(table.name, types)))


def _give_arrays(name: str, types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Rows from one array for each column, all of the same length.

    A parameter's name has two underscores: with one it could be that of another table's column,
    which SQLAlchemy would then set, too.
    """
    arrays = [bindparam(f"{name}__{each}", type_=ARRAY(type_)) for each, type_ in types.items()]
    typed = [column(each, type_) for each, type_ in types.items()]
    rows = func.unnest(*arrays).table_valued(*typed, name=f"given_{name}")
    return rows.render_derived()


def _give_values(name: str, types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    return table(f"given_{name}", *(column(each, type_) for each, type_ in types.items()))


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
            arrays: dict[str, Sequence[Any]] = {}
            for write, rows in gathered.items():
                arrays |= write.pack(conn.dialect, rows)
            _run_on_postgres(conn, _join(*gathered), arrays)
            return
        for write, rows in gathered.items():
            write.run(conn, rows)


@cache
def _join(*writes: BulkWrite) -> Select[Any]:
    parts = [write.on_postgres.cte(f"write_{write.name}") for write in writes]
    return select(literal_column("1")).add_cte(*parts)


def _run_on_postgres(
    conn: Connection, statement: Any, arrays: Mapping[str, Sequence[Any]]
) -> list[Any]:
    sql, names = _compile(statement, conn.dialect)
    values = tuple(arrays.get(name, constant) for name, constant in names.items())
    done = conn.exec_driver_sql(sql, values)
    return [*done] if done.returns_rows else []


def _execute_on_sqlite(conn: Connection, sql: str, parameters: Sequence[Any]) -> list[Any]:
    """By the driver itself: SQLAlchemy takes longer for a statement than SQLite for ten rows."""
    driver: Any = conn.connection.driver_connection
    try:
        return driver.execute(sql, parameters).fetchall()  # type: ignore[no-any-return]
    except driver.Error as error:
        raise DBAPIError.instance(
            sql, None, error, driver.Error, hide_parameters=True, dialect=conn.dialect
        ) from error


# Bounded, because each database that is opened has a dialect of its own.
@lru_cache(maxsize=1024)
def _compile(statement: Any, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """Its SQL and its parameters in order, each with the value that the statement itself gives."""
    compiled = statement.compile(dialect=dialect)
    given = compiled.construct_params(_check=False)
    return str(compiled), {name: given[name] for name in compiled.positiontup}


@lru_cache(maxsize=1024)
def _find_converter(type_: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """What prepares a value for the driver; None where the driver takes it as it is."""
    if isinstance(type_, Boolean | LargeBinary):
        return None
    return type_.dialect_impl(dialect).bind_processor(dialect)


@cache
def _list_values(name: str, columns: Sequence[str], rows: int) -> str:
    marks = f"({', '.join('?' * len(columns))})"
    return f"WITH given_{name} ({', '.join(columns)}) AS (VALUES {', '.join([marks] * rows)}) "


def _cut_evenly(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Pieces of as many rows as a power of two, the largest first."""
    start = 0
    while start < len(rows):
        size = min(1 << (len(rows) - start).bit_length() - 1, MOST_ROWS)
        yield rows[start : start + size]
        start += size
