"""Walks through rows by id, newest first, that read a bounded number of them for each request."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Row, Select, text
from sqlalchemy.exc import DBAPIError

from app.storage.db.database import begin_transaction
from app.storage.db.text_index import TextIndex

# A request reads at most this many rows, then returns where the next one continues.
WALK_ROWS = 3_000
# A common word is found among the newest rows; only a rarer one needs the search index.
RECENT_ROWS = 1_000
# PostgreSQL's index answers as a whole or not at all. SQLite's is asked in parts, so that being
# less patient costs more requests, and hardly more work.
INDEX_PATIENCE_MILLISECONDS = {"postgresql": 40, "sqlite": 25}
# How many are still read if the index took too long.
UNAIDED_ROWS = 1_000
# SQLite's first window: even the commonest words take well under the time limit for it.
WINDOW_IDS = 1 << 15

QUERY_CANCELLED = "57014"

# Ids of rows that may match, newest first, given the bounds [bottom, top) and a count.
Driver = Callable[[int, int, int], Select[tuple[int]]]
# The rows of a driver's ids, newest first, each with its `id` and what `matches` looks at.
Fetch = Callable[[Connection, Select[tuple[int]]], Sequence[Row[Any]]]


@dataclass
class IdWalk:
    """The ids that matched so far, newest first, as many as are wanted."""

    count: int
    fetch: Fetch
    matches: Callable[[Any], bool]
    ids: list[int] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return len(self.ids) >= self.count

    def walk(self, conn: Connection, driver: Driver, top: int, bottom: int, budget: int) -> int:
        """Look at up to `budget` of the driver's rows in [bottom, top), in widening windows.

        Returns the id down to which all has been looked at: `bottom` at the end.
        """
        window = self.count
        while top > bottom and budget > 0 and not self.full:
            count = min(window, budget)
            rows = self.fetch(conn, driver(top, bottom, count))
            for row in rows:
                top = row.id
                if self.matches(row):
                    self.ids.append(row.id)
                    if self.full:
                        return top
            if len(rows) < count:
                return bottom
            budget -= len(rows)
            window *= 2
        return max(top, bottom)

    def walk_by_words(
        self,
        conn: Connection,
        driver: Driver,
        index: TextIndex,
        words: Sequence[str],
        top: int,
        low: int,
    ) -> int:
        """The same by a search index, for texts that are all indexed.

        The driver's rows are looked at first, and where the index is of no help.
        """
        reached = self.walk(conn, driver, top, low, RECENT_ROWS)
        if self.full or reached <= low:
            return reached
        candidates = _make_text_driver(conn, index, words)
        if conn.dialect.name == "sqlite":
            return self._walk_by_windows(conn, candidates, reached, low)
        kept = len(self.ids)
        try:
            with _limited_time(conn):
                return self.walk(conn, candidates, reached, low, RECENT_ROWS)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != QUERY_CANCELLED:
                raise
        # Too many texts contain the trigrams for the index to help: continue one by one.
        del self.ids[kept:]
        return self.walk(conn, driver, reached, low, UNAIDED_ROWS)

    def _walk_by_windows(self, conn: Connection, candidates: Driver, top: int, low: int) -> int:
        """SQLite has no time limit, so it is asked about a window of ids until the time is up.

        The window doubles while it takes little of the time.
        """
        patience, window = INDEX_PATIENCE_MILLISECONDS["sqlite"] / 1000, WINDOW_IDS
        began = asked_at = monotonic()
        while top > low and not self.full and asked_at - began < patience:
            bottom = max(low, top - window)
            top = self.walk(conn, candidates, top, bottom, RECENT_ROWS)
            if top > bottom:
                break
            asked_at, before = monotonic(), asked_at
            if asked_at - before < patience / 8:
                window *= 2
        return top


def _make_text_driver(conn: Connection, index: TextIndex, words: Sequence[str]) -> Driver:
    def drive(top: int, bottom: int, count: int) -> Select[tuple[int]]:
        return index.select_candidates(
            conn.dialect.name, words, top=top, bottom=bottom, count=count
        )

    return drive


@contextlib.contextmanager
def _limited_time(conn: Connection) -> Iterator[None]:
    """A time limit for reading; the settings are undone at the end."""
    begin_transaction(conn)
    conn.exec_driver_sql("SAVEPOINT limited")
    # A generic plan would not use the index for a rare word.
    conn.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    patience = INDEX_PATIENCE_MILLISECONDS["postgresql"]
    conn.execute(text(f"SET LOCAL statement_timeout = {patience}"))
    try:
        yield
    finally:
        while not _end_limit(conn):
            pass


def _end_limit(conn: Connection) -> bool:
    """False if the server was so busy that the limit cancelled even the rollback."""
    try:
        conn.exec_driver_sql("ROLLBACK TO SAVEPOINT limited")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != QUERY_CANCELLED:
            raise
        return False
    return True
