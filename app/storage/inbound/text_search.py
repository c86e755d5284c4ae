"""The search index over the bodies of messages, fed by the handle flow."""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, select

from app.domain.keywords import fold_text
from app.storage.db.text_index import TextIndex
from app.storage.db.writes import Writes
from app.storage.tables.operations import refills

Fold = Callable[[str], str]

MESSAGE_INDEX = TextIndex("message_search", "message_id")


def add_bodies(writes: Writes, bodies: Iterable[tuple[int, str]], fold: Fold = fold_text) -> None:
    """Index messages, given as (id, body)."""
    MESSAGE_INDEX.add(writes, [(message_id, fold(body)) for message_id, body in bodies])


def fold_before(text: str) -> str:
    """The older folding, by which messages are indexed that still wait in `refills`."""
    return text.casefold()


def replace_body(conn: Connection, writes: Writes, message_id: int, old: str, new: str) -> None:
    """Index another body for a message."""
    waits = select(refills.c.name).where(
        refills.c.name == "folding", refills.c.position >= message_id
    )
    fold = fold_before if conn.execute(waits).first() else fold_text
    MESSAGE_INDEX.remove(conn, message_id, fold(old))
    add_bodies(writes, [(message_id, new)], fold)


def refold_body(conn: Connection, writes: Writes, message_id: int, body: str) -> None:
    """Index a body by the current folding instead of the older one."""
    MESSAGE_INDEX.remove(conn, message_id, fold_before(body))
    add_bodies(writes, [(message_id, body)])
