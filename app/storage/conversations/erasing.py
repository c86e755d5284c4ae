"""Takes an erased number out of conversations, people and imports of contacts."""

from sqlalchemy import Connection, update

from app.storage.conversations.removal import remove_empty_conversations
from app.storage.erasures.redaction import (
    Done,
    Erasing,
    is_named_by,
    read_row,
    redact_row,
    remove_row,
)
from app.storage.erasures.walking import Key
from app.storage.tables.conversations import contact_imports, conversations, people


def erase_conversation(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Remove a conversation of the number once its texts are gone, with notes and drafts."""
    row = read_row(conn, conversations, key)
    if row is None:
        return None
    if not is_named_by(row, erasing.forms, "source", "dest", "source_key", "dest_key"):
        return redact_row(conn, conversations, key, erasing)
    return "removed" if remove_empty_conversations(conn, [row.id]) else None


def erase_person(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Remove the number's card, and redact others that speak of it."""
    row = read_row(conn, people, key)
    if row is None:
        return None
    if is_named_by(row, erasing.forms, "number", "number_key"):
        return remove_row(conn, people, key)
    return redact_row(conn, people, key, erasing)


def erase_contact(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Leave the number's lines out of what an import still sends, and redact its results."""
    row = read_row(conn, contact_imports, key)
    if row is None:
        return None
    left = [line for line in row.contacts if not erasing.forms.is_in(line)]
    gone = len(row.contacts) - len(left)
    if gone:
        mine = update(contact_imports).where(contact_imports.c.id == row.id)
        conn.execute(mine.values(contacts=left, total=row.total - gone))
    return redact_row(conn, contact_imports, key, erasing) or ("changed" if gone else None)
