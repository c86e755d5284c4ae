"""The search index over message bodies: trigrams, fed by the handle flow, on either database.

PostgreSQL keeps the folded bodies with a pg_trgm index, SQLite a contentless FTS5 table. Both give
candidates only: the caller checks the bodies themselves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Text, column, delete, select, table, text

from app.domain.keywords import fold_text
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert
from app.storage.tables.operations import refills

TRIGRAM = 3
Fold = Callable[[str], str]
# SQLite merges its index this many pages at a time: merging millions of rows at once, its default,
# would block the only writing connection for seconds.
MERGE_PAGES = 64

_POSTGRES = table("message_search", column("message_id", BigInteger), column("folded", Text))
_SQLITE = table("message_search", column("rowid", BigInteger))


def has_index_for(words: Sequence[str]) -> bool:
    """Whether a word is long enough to be looked up."""
    return any(len(word) >= TRIGRAM for word in words)


def select_candidates(
    dialect: str, words: Sequence[str], *, top: int, bottom: int, count: int
) -> Select[tuple[int]]:
    """Ids in [bottom, top) of messages that may hold every word, newest first."""
    if dialect == "postgresql":
        message_id = _POSTGRES.c.message_id
        conditions = [
            _POSTGRES.c.folded.like(f"%{_escape_like(word)}%", escape="\\") for word in words
        ]
        # `+ 0` keeps the planner from walking the primary key in search of a rare word.
        order = message_id + 0
    else:
        message_id = _SQLITE.c.rowid
        match = text("message_search MATCH :match").bindparams(match=_make_match(words))
        conditions = [match]  # type: ignore[list-item]
        order = message_id
    query = select(message_id.label("message_id")).where(*conditions)
    return query.where(message_id < top, message_id >= bottom).order_by(order.desc()).limit(count)


def add_bodies(writes: Writes, bodies: Iterable[tuple[int, str]], fold: Fold = fold_text) -> None:
    """Index messages, given as (id, body)."""
    rows = [{"message_id": message_id, "folded": fold(body)} for message_id, body in bodies]
    writes.add(_insert_bodies(), rows)


def fold_before(text: str) -> str:
    """The older folding, by which messages are indexed that still wait in `refills`."""
    return text.casefold()


@cache
def _insert_bodies() -> BulkWrite:
    on_sqlite = text(
        "INSERT INTO message_search (rowid, folded)"
        " VALUES (:message_search__message_id, :message_search__folded)"
    )
    return replace(make_bulk_insert(_POSTGRES, ("message_id", "folded")), on_sqlite=on_sqlite)


def replace_body(conn: Connection, writes: Writes, message_id: int, old: str, new: str) -> None:
    """Index another body for a message."""
    waits = select(refills.c.name).where(
        refills.c.name == "folding", refills.c.position >= message_id
    )
    fold = fold_before if conn.execute(waits).first() else fold_text
    _remove_body(conn, message_id, fold(old))
    add_bodies(writes, [(message_id, new)], fold)


def refold_body(conn: Connection, writes: Writes, message_id: int, body: str) -> None:
    """Index a body by the current folding instead of the older one."""
    _remove_body(conn, message_id, fold_before(body))
    add_bodies(writes, [(message_id, body)])


def _remove_body(conn: Connection, message_id: int, folded: str) -> None:
    """A contentless index must be given the text to delete."""
    if conn.dialect.name == "postgresql":
        conn.execute(delete(_POSTGRES).where(_POSTGRES.c.message_id == message_id))
    else:
        conn.execute(
            text(
                "INSERT INTO message_search (message_search, rowid, folded)"
                " VALUES ('delete', :id, :folded)"
            ),
            {"id": message_id, "folded": folded},
        )


def optimize_index(conn: Connection) -> bool:
    """Merge a few pages of the index; returns whether there may be more to do."""
    if conn.dialect.name == "postgresql":
        return False
    driver: Any = conn.connection.driver_connection
    before = driver.total_changes
    conn.execute(
        text("INSERT INTO message_search (message_search, rank) VALUES ('merge', :pages)"),
        {"pages": MERGE_PAGES},
    )
    return bool(driver.total_changes - before >= 2)


def _escape_like(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _make_match(words: Sequence[str]) -> str:
    """Each trigram of each word as an FTS5 string; positions are not kept, so no phrases."""
    trigrams = {
        word[start : start + TRIGRAM] for word in words for start in range(len(word) - TRIGRAM + 1)
    }
    return " AND ".join(f'"{each.replace(chr(34), chr(34) * 2)}"' for each in sorted(trigrams))
