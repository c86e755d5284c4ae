"""Removes empty conversations, with their notes and drafts, and the names they brought."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, exists, or_, select

from app.storage.tables.conversations import conversation_notes, conversations, drafts, people
from app.storage.tables.inbound import message_index
from app.storage.tables.outbound import outbound


def remove_empty_conversations(conn: Connection, ids: Sequence[int]) -> int:
    """Of these, those without any text of either side; returns how many.

    Their notes go along, and cards of which nothing but a merge field's name is known.
    """
    table = conversations.c
    has_message = select(message_index.c.message_id).where(
        message_index.c.conversation_id == table.id
    )
    has_text = select(outbound.c.id).where(outbound.c.conversation_id == table.id)
    empty = delete(conversations).where(
        table.id.in_(ids),
        table.last_message_id.is_(None),
        ~has_message.exists(),
        ~has_text.exists(),
    )
    gone = conn.execute(empty.returning(table.id, table.source_key)).all()
    for table_of_theirs in (conversation_notes, drafts):
        theirs = table_of_theirs.c.conversation_id.in_([row.id for row in gone])
        conn.execute(delete(table_of_theirs).where(theirs))
    _remove_unknown_people(conn, {row.source_key for row in gone})
    return len(gone)


def _remove_unknown_people(conn: Connection, keys: Collection[bytes]) -> None:
    card = people.c
    is_known = or_(card.typed_name != "", card.notes != "", card.contact_name != "")
    has_others = exists().where(conversations.c.source_key == card.number_key)
    conn.execute(delete(people).where(card.number_key.in_(keys), ~is_known, ~has_others))
