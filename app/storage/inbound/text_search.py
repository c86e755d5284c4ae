"""The search index over the bodies of messages, fed by the handle flow."""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, delete, select

from app.domain.keywords import fold_text
from app.storage.db.text_index import TextIndex
from app.storage.db.writes import Writes
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.operations import refills

Fold = Callable[[str], str]

MESSAGE_INDEX = TextIndex("message_search", "message_id")
# At once, where nobody waits.
REBUILT = 2_000


def add_bodies(writes: Writes, bodies: Iterable[tuple[int, str]], fold: Fold = fold_text) -> None:
    """Index messages, given as (id, body)."""
    MESSAGE_INDEX.add(writes, [(message_id, fold(body)) for message_id, body in bodies])


def rebuild_step(conn: Connection, after: int) -> tuple[int | None, int]:
    """Index the next handled messages of a database that was copied without its index.

    The first step, after 0, clears it. Returns the last id and how many they were; None at the end.
    """
    if not after:
        MESSAGE_INDEX.clear(conn)
    table = messages.c
    query = (
        select(table.id, table.body)
        .join(message_index, message_index.c.message_id == table.id)
        .where(table.id > after)
        .order_by(table.id)
        .limit(REBUILT)
    )
    rows = conn.execute(query).all()
    if not rows:
        conn.execute(delete(refills).where(refills.c.name == "folding"))
        return None, 0
    writes = Writes()
    add_bodies(writes, [(row.id, row.body) for row in rows])
    writes.run(conn)
    return rows[-1].id, len(rows)


def fold_before(text: str) -> str:
    """The older folding, by which messages are indexed that still wait in `refills`."""
    return text.casefold()


def remove_bodies(conn: Connection, bodies: Iterable[tuple[int, str]]) -> None:
    """Remove messages from the index, given as (id, body)."""
    waits = find_unfolded_end(conn)
    for message_id, body in bodies:
        fold = fold_before if message_id <= waits else fold_text
        MESSAGE_INDEX.remove(conn, message_id, fold(body))


def find_unfolded_end(conn: Connection) -> int:
    """The last id that an older release indexed by its own folding; 0 if none."""
    query = select(refills.c.position).where(refills.c.name == "folding")
    return conn.execute(query).scalar() or 0


def replace_body(conn: Connection, writes: Writes, message_id: int, old: str, new: str) -> None:
    """Index another body for a message."""
    fold = fold_before if message_id <= find_unfolded_end(conn) else fold_text
    MESSAGE_INDEX.remove(conn, message_id, fold(old))
    add_bodies(writes, [(message_id, new)], fold)


def refold_body(conn: Connection, writes: Writes, message_id: int, body: str) -> None:
    """Index a body by the current folding instead of the older one."""
    MESSAGE_INDEX.remove(conn, message_id, fold_before(body))
    add_bodies(writes, [(message_id, body)])
