"""Takes an erased number out of alerts."""

from sqlalchemy import Connection

from app.storage.db.key_walks import Key
from app.storage.operations.alerts import close_alert
from app.storage.operations.erasures.redaction import (
    Done,
    Erasing,
    is_named_by,
    read_row,
    redact_row,
)
from app.storage.tables.operations import alerts


def erase_in_alert(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Redact an alert; one about the number is over."""
    row = read_row(conn, alerts, key)
    if row is None:
        return None
    if row.closed_at is None and is_named_by(row, erasing.forms, "subject"):
        close_alert(conn, row.kind, row.subject, now=erasing.now)
    return redact_row(conn, alerts, key, erasing)
