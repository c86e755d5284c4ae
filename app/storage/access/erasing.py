"""Takes an erased number out of what is known of our own numbers."""

from typing import Any

from sqlalchemy import Connection

from app.storage.db.key_walks import Key
from app.storage.operations.erasures.redaction import (
    Done,
    Erasing,
    is_named_by,
    read_row,
    redact_row,
)
from app.storage.rules.rules import lock_rules
from app.storage.tables.access import numbers


def erase_in_number(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Redact one of our numbers, which confirms opt-outs no more where its reply named the number.

    Whoever answers reads our numbers again after a change of rules.
    """
    lock_rules(conn)
    row = read_row(conn, numbers, key)
    if row is None:
        return None
    is_named = is_named_by(row, erasing.forms, "opt_out_reply")
    more: dict[str, Any] = {"opt_out_reply": None} if is_named else {}
    return redact_row(conn, numbers, key, erasing, **more)
