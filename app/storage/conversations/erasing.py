"""Takes an erased number out of conversations, people and imports of contacts."""

from collections.abc import Mapping

from sqlalchemy import Connection, select, update

from app.domain.inbound.messages import make_number_key
from app.storage.conversations.removal import remove_empty_conversations
from app.storage.db.key_walks import Key
from app.storage.operations.erasures.erasures import find_erased
from app.storage.operations.erasures.redaction import (
    Done,
    Erasing,
    is_named_by,
    read_row,
    redact_row,
    remove_row,
)
from app.storage.tables.conversations import contact_imports, conversations, people


def leave_erased(conn: Connection, names: Mapping[str, str]) -> dict[str, str]:
    """Names by number, without numbers that were erased and have not been heard of since."""
    erased = find_erased(conn, names)
    keys = {make_number_key(number): number for number in erased}
    query = select(conversations.c.source_key).where(conversations.c.source_key.in_(keys))
    known = {keys[key] for key in conn.execute(query).scalars()} if keys else set()
    return {
        number: name for number, name in names.items() if number not in erased or number in known
    }


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
