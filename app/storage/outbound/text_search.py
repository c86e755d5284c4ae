"""The search index over the bodies of texts that go out.

It is fed apart from queueing, which may be of 10,000 texts at once. `index_progress` says how far:
texts above it are searched one by one, and so are those that an older release wrote, while they
wait in `refills`.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    select,
    true,
    update,
)

from app.domain.inbound.queries import has_words
from app.domain.keywords import fold_text
from app.storage.db import id_walks
from app.storage.db.id_walks import IdWalk
from app.storage.db.text_index import TextIndex, has_index_for
from app.storage.db.writes import Writes
from app.storage.inbound.rewriting.refills import find_position, move_position
from app.storage.outbound.outbox import try_settled_end
from app.storage.tables.operations import index_progress, refills
from app.storage.tables.outbound import outbound

OUTBOUND_INDEX = TextIndex("outbound_search", "outbound_id")
# Limit of a step: on SQLite nobody else can write meanwhile.
INDEXED = 100

_MINE = index_progress.c.name == "outbound"


def has_unindexed(conn: Connection) -> bool:
    """Whether texts have been queued that are not indexed yet."""
    last = select(func.max(outbound.c.id)).scalar_subquery()
    return bool(conn.execute(select(last > _select_position().scalar_subquery())).scalar())


def index_texts(conn: Connection) -> bool:
    """Index the next texts; False if nothing is left to do, or another process is at it."""
    position = conn.execute(_select_position().with_for_update(skip_locked=True)).scalar()
    end = None if position is None else try_settled_end(conn)
    if end is None or position is None:
        return False
    table = outbound.c
    query = select(table.id, table.body).where(table.id > position, table.id <= end)
    rows = conn.execute(query.order_by(table.id).limit(INDEXED)).all()
    if rows:
        _add(conn, rows)
        conn.execute(update(index_progress).where(_MINE).values(position=rows[-1].id))
    return OUTBOUND_INDEX.optimize(conn) or len(rows) == INDEXED


def refill_index(conn: Connection) -> bool:
    """Index some texts that an older release wrote, newest first; False if all are indexed."""
    position = find_position(conn, "outbound-words")
    if position is None:
        return False
    query = select(outbound.c.id, outbound.c.body).where(outbound.c.id <= position)
    rows = conn.execute(query.order_by(outbound.c.id.desc()).limit(INDEXED)).all()
    rest = rows[-1].id - 1 if len(rows) == INDEXED else 0
    if move_position(conn, "outbound-words", position, rest):
        _add(conn, rows)
        OUTBOUND_INDEX.optimize(conn)
    return True


def index_again(conn: Connection) -> None:
    """Let `refill_index` index all texts, in a database that was copied without its index."""
    OUTBOUND_INDEX.clear(conn)
    position = conn.execute(_select_position()).scalar()
    conn.execute(delete(refills).where(refills.c.name == "outbound-words"))
    if position:
        conn.execute(insert(refills).values(name="outbound-words", position=position))


def replace_text(conn: Connection, outbound_id: int, old: str, new: str | None) -> None:
    """Index another body for a text, or none, after the row itself was changed or removed."""
    # Shared: whoever indexes texts right now has to end first.
    position = conn.execute(_select_position().with_for_update(read=True)).scalar_one()
    waits = find_position(conn, "outbound-words") or 0
    if waits < outbound_id <= position:
        OUTBOUND_INDEX.remove(conn, outbound_id, fold_text(old))
        if new is not None:
            writes = Writes()
            OUTBOUND_INDEX.add(writes, [(outbound_id, fold_text(new))])
            writes.run(conn)


def find_by_words(
    conn: Connection,
    words: Sequence[str],
    conditions: Sequence[ColumnElement[bool]],
    *,
    top: int,
    low: int,
    limit: int,
) -> tuple[list[int], int | None]:
    """Ids in [low, top) of texts that hold every word and meet the conditions, newest first.

    Does bounded work, so they may be few; the second is what the next page's `top` is, None at the
    end.
    """
    walk = _make_walk(words, conditions, limit + 1)
    unindexed = conn.execute(_select_position()).scalar_one() + 1
    waiting = (find_position(conn, "outbound-words") or 0) + 1
    for bottom, is_indexed in ((unindexed, False), (waiting, True), (low, False)):
        end = max(bottom, low)
        if top <= end or walk.full:
            continue
        if is_indexed and has_index_for(words):
            top = walk.walk_by_words(conn, _drive, OUTBOUND_INDEX, words, top, end)
        else:
            top = walk.walk(conn, _drive, top, end, id_walks.WALK_ROWS)
        if top > end:
            break
    ids = walk.ids[:limit]
    if walk.full:
        return ids, ids[-1]
    return ids, None if top <= low else top


def _make_walk(
    words: Sequence[str], conditions: Sequence[ColumnElement[bool]], count: int
) -> IdWalk:
    fits = and_(true(), *conditions).label("fits")

    def fetch(conn: Connection, candidates: Select[tuple[int]]) -> Sequence[Row[Any]]:
        ids = candidates.subquery()
        [candidate] = ids.c
        query = select(outbound.c.id, outbound.c.body, fits).join(ids, candidate == outbound.c.id)
        return conn.execute(query.order_by(outbound.c.id.desc())).all()

    return IdWalk(count, fetch, lambda row: bool(row.fits) and has_words(row.body, words))


def _drive(top: int, bottom: int, count: int) -> Select[tuple[int]]:
    row_id = outbound.c.id
    query = select(row_id.label("row_id")).where(row_id < top, row_id >= bottom)
    return query.order_by(row_id.desc()).limit(count)


def _select_position() -> Select[int]:
    return select(index_progress.c.position).where(_MINE)


def _add(conn: Connection, rows: Sequence[Any]) -> None:
    writes = Writes()
    OUTBOUND_INDEX.add(writes, [(row.id, fold_text(row.body)) for row in rows])
    writes.run(conn)
