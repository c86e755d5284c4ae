"""Watches what a transaction sends to its database, on either kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event


@contextmanager
def watching(conn: Connection) -> Iterator[list[str]]:
    """The statements that run meanwhile, with their values on SQLite."""
    seen: list[str] = []
    if conn.dialect.name == "sqlite":
        driver: Any = conn.connection.driver_connection
        driver.set_trace_callback(seen.append)
        yield seen
        driver.set_trace_callback(None)
        return

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(conn, "before_cursor_execute", note)
    yield seen
    event.remove(conn, "before_cursor_execute", note)


@contextmanager
def watching_values(dialect: str) -> Iterator[list[str]]:
    """What any transaction sends meanwhile, as text: bytes in it are hexadecimal."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
        seen.append(_write_out(parameters))

    def trace(conn: Connection) -> None:
        driver: Any = conn.connection.driver_connection
        driver.set_trace_callback(lambda sql: seen.append(sql.lower()))

    name, listener = ("begin", trace) if dialect == "sqlite" else ("before_cursor_execute", note)
    event.listen(Engine, name, listener)
    yield seen
    event.remove(Engine, name, listener)


def _write_out(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        value = [*value.values()]
    return " ".join(map(_write_out, value)) if isinstance(value, list | tuple) else str(value)
