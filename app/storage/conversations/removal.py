"""Removes conversations in which nothing is left, with their notes, drafts and names."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from app.storage.tables.conversations import conversation_notes, conversations, drafts, people
from app.storage.tables.inbound import message_index
from app.storage.tables.outbound import outbound


def remove_empty_conversations(conn: Connection, ids: Sequence[int]) -> int:
    """Of these, those without any text of either side; returns how many.

    A card that only has a name from a text goes with the last conversation of its number; one that
    somebody wrote, or that comes from the address book, stays.
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
    removed = [row.id for row in gone]
    for other in (conversation_notes, drafts):
        conn.execute(delete(other).where(other.c.conversation_id.in_(removed)))
    card = people.c
    is_written = (card.typed_name != "") | (card.notes != "") | (card.contact_name != "")
    has_other = select(table.id).where(table.source_key == card.number_key).exists()
    keys = {row.source_key for row in gone}
    conn.execute(delete(people).where(card.number_key.in_(keys), ~is_written, ~has_other))
    return len(removed)
