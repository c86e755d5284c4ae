"""INSERTs with ON CONFLICT, for either database."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def make_insert(conn: Connection, table: Table) -> Any:
    """An INSERT with `on_conflict_do_nothing`, `on_conflict_do_update` and `excluded`."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
