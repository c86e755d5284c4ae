"""Takes an erased number out of messages."""

from sqlalchemy import Connection, delete, update

from app.storage.db.key_walks import Key
from app.storage.db.writes import Writes
from app.storage.inbound.removal import read_for_removal, remove_messages
from app.storage.inbound.text_search import replace_body
from app.storage.operations.erasures.redaction import (
    Done,
    Erasing,
    is_named_by,
    read_row,
    redact_row,
)
from app.storage.operations.erasures.references import cut_references
from app.storage.operations.erasures.tombstones import bury_messages
from app.storage.rules.erasing import keep_stops
from app.storage.tables.inbound import message_index, messages


def erase_message(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Remove a message from or to the number, and redact one that only speaks of it."""
    row = read_row(conn, messages, key)
    if row is None:
        return None
    if is_named_by(row, erasing.forms, "source", "dest"):
        found = read_for_removal(conn, key)
        bury_messages(conn, found, erasing.now)
        cut_references(conn, key)
        if row.handled_at is None:
            keep_stops(conn, [message for _, message in found])
            conn.execute(delete(messages).where(messages.c.id == row.id))
        else:
            remove_messages(conn, key)
        return "removed"
    done = redact_row(conn, messages, key, erasing)
    if row.handled_at is None:
        return done
    body = erasing.forms.redact(row.body)
    if body != row.body:
        writes = Writes()
        replace_body(conn, writes, row.id, row.body, body)
        writes.run(conn)
    if erasing.forms.is_in(row.provider_id):
        mine = update(message_index).where(message_index.c.message_id == row.id)
        conn.execute(mine.values(provider_key=None, identity_key=b""))
    return done
