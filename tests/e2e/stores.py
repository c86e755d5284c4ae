"""Reads the databases behind the service's back, to see what it really keeps."""

import sqlite3
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.e2e.load import Forward
from tests.support.storage.postgres import PostgresServer


class Store(ABC):
    """One database; `url` is what DATABASE_URL takes."""

    url: str

    @abstractmethod
    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a query on a connection of its own."""

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Change something behind the service's back."""

    @abstractmethod
    def list_tables(self) -> list[str]:
        """The names of all tables."""

    @abstractmethod
    def write_now(self) -> str:
        """The time of day in its SQL."""

    def hurry(self) -> None:
        """Have what waits for a check or a proof looked at now, not in seconds or minutes."""
        now = self.write_now()
        self.execute(
            f"UPDATE outbound SET check_at = {now}"
            f" WHERE check_at > {now} AND status IN ('uncertain', 'sent')"
        )

    def count(self) -> int:
        """How many messages it holds."""
        return int(self.fetch("SELECT count(*) FROM messages")[0][0])

    def list_ids(self, source: str | None = None) -> list[str]:
        """The provider's ids of the messages in the order in which they were stored."""
        rows = self.fetch("SELECT provider_id, source FROM messages ORDER BY id")
        return [str(row[0]) for row in rows if source in (None, row[1])]


class SqliteStore(Store):
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection:
            return connection.execute(sql).fetchall()

    def execute(self, sql: str) -> None:
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as connection:
            connection.execute(sql)

    def write_now(self) -> str:
        return str(int(time.time() * 1e6))

    def list_tables(self) -> list[str]:
        rows = self.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [str(row[0]) for row in rows]


class PostgresStore(Store):
    """A database of a server."""

    def __init__(self, server: PostgresServer, name: str, template: str | None = None) -> None:
        self.server = server
        self.name = name
        self.url = server.create_database(name, template)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self.server.fetch(sql, database=self.name)

    def execute(self, sql: str) -> None:
        self.server.execute(sql, database=self.name)

    def write_now(self) -> str:
        return "now()"

    def list_processes(self) -> list[str]:
        """The processes that are registered; none before a service has made the tables."""
        if "processes" not in self.list_tables():
            return []
        return [str(row[0]) for row in self.fetch("SELECT id FROM processes")]

    def list_tables(self) -> list[str]:
        rows = self.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [str(row[0]) for row in rows]


def check_kept_once(store: Store, forwards: Iterable[Forward]) -> None:
    """Every forward that was answered 200 has one row, any other at most one."""
    statuses = {each.message_id: each.status for each in forwards}
    rows = Counter(store.list_ids())
    lost = [each for each, status in statuses.items() if status == 200 and not rows[each]]
    assert not lost, f"{len(lost)} acknowledged messages are lost, such as {lost[:5]}"
    doubled = [each for each, count in rows.items() if count > 1]
    assert not doubled, f"{len(doubled)} messages are there twice, such as {doubled[:5]}"
    assert not rows.keys() - statuses.keys()


def check_order(store: Store, forwards: Iterable[Forward]) -> None:
    """Each sender's texts were stored in the order in which they were acknowledged."""
    wanted: dict[str, list[str]] = {}
    for each in forwards:
        if each.status == 200:
            wanted.setdefault(each.source, []).append(each.message_id)
    for source, ids in wanted.items():
        known = set(ids)
        assert [each for each in store.list_ids(source) if each in known] == ids
