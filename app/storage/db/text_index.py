"""A search index over texts by trigrams, on either database; it gives candidates only.

PostgreSQL keeps the folded texts with a pg_trgm index, SQLite a contentless FTS5 table. The caller
checks the texts themselves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    TableClause,
    Text,
    column,
    delete,
    select,
    table,
    text,
)

from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert

TRIGRAM = 3
# SQLite merges its index this many pages at a time: merging millions of rows at once, its default,
# would block the only writing connection for seconds.
MERGE_PAGES = 64


def has_index_for(words: Sequence[str]) -> bool:
    """Whether a word is long enough to be looked up."""
    return any(len(word) >= TRIGRAM for word in words)


@dataclass(frozen=True)
class TextIndex:
    """The index in the table `name`, whose rows are known by `key` on PostgreSQL."""

    name: str
    key: str

    def select_candidates(
        self, dialect: str, words: Sequence[str], *, top: int, bottom: int, count: int
    ) -> Select[tuple[int]]:
        """Ids in [bottom, top) of texts that may hold every word, newest first."""
        if dialect == "postgresql":
            row_id = self._table.c[self.key]
            folded = self._table.c.folded
            conditions = [folded.like(f"%{_escape_like(word)}%", escape="\\") for word in words]
            # `+ 0` keeps the planner from walking the primary key in search of a rare word.
            order = row_id + 0
        else:
            row_id = table(self.name, column("rowid", BigInteger)).c.rowid
            match = text(f"{self.name} MATCH :match").bindparams(match=_make_match(words))
            conditions = [match]  # type: ignore[list-item]
            order = row_id
        query = select(row_id.label("row_id")).where(*conditions)
        return query.where(row_id < top, row_id >= bottom).order_by(order.desc()).limit(count)

    def add(self, writes: Writes, texts: Iterable[tuple[int, str]]) -> None:
        """Index texts, given as (id, folded text)."""
        writes.add(self._insert, [{self.key: row_id, "folded": text} for row_id, text in texts])

    def remove(self, conn: Connection, row_id: int, folded: str) -> None:
        """A contentless index must be given the text to delete, as it was indexed."""
        if conn.dialect.name == "postgresql":
            conn.execute(delete(self._table).where(self._table.c[self.key] == row_id))
            return
        conn.execute(
            text(
                f"INSERT INTO {self.name} ({self.name}, rowid, folded)"  # noqa: S608 our own name
                " VALUES ('delete', :id, :folded)"
            ),
            {"id": row_id, "folded": folded},
        )

    def clear(self, conn: Connection) -> None:
        """Remove every text."""
        if conn.dialect.name == "postgresql":
            conn.execute(delete(self._table))
        else:
            conn.execute(text(f"INSERT INTO {self.name} ({self.name}) VALUES ('delete-all')"))  # noqa: S608 as above

    def optimize(self, conn: Connection, *, begins_whole: bool = False) -> bool:
        """Merge a few pages of the index; returns whether there may be more to do.

        `begins_whole`: this and the steps that follow leave nothing of what was removed.
        """
        if conn.dialect.name == "postgresql":
            return False
        driver: Any = conn.connection.driver_connection
        before = driver.total_changes
        conn.execute(
            text(f"INSERT INTO {self.name} ({self.name}, rank) VALUES ('merge', :pages)"),  # noqa: S608
            {"pages": -MERGE_PAGES if begins_whole else MERGE_PAGES},
        )
        return bool(driver.total_changes - before >= 2)

    @cached_property
    def _table(self) -> TableClause:
        return table(self.name, column(self.key, BigInteger), column("folded", Text))

    @cached_property
    def _insert(self) -> BulkWrite:
        on_sqlite = text(
            f"INSERT INTO {self.name} (rowid, folded)"  # noqa: S608
            f" SELECT {self.key}, folded FROM given_{self.name}"
        )
        return replace(make_bulk_insert(self._table, (self.key, "folded")), on_sqlite=on_sqlite)


def _escape_like(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _make_match(words: Sequence[str]) -> str:
    """Each trigram of each word as an FTS5 string; positions are not kept, so no phrases."""
    trigrams = {
        word[start : start + TRIGRAM] for word in words for start in range(len(word) - TRIGRAM + 1)
    }
    return " AND ".join(f'"{each.replace(chr(34), chr(34) * 2)}"' for each in sorted(trigrams))
