"""Takes an erased number out of webhooks and of what they were sent."""

from sqlalchemy import Connection

from app.domain.written_numbers import PLAIN_ERASED
from app.storage.db.key_walks import Key
from app.storage.operations.erasures.redaction import Done, Erasing, redact_row
from app.storage.operations.erasures.references import empty_deliveries
from app.storage.tables.webhooks import webhook_deliveries, webhooks


def erase_delivery(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Empty what was sent or waits to be; the entry itself stays."""
    empty_deliveries(conn, webhook_deliveries.c.id == key[0])
    redact_row(conn, webhook_deliveries, key, erasing)
    return "changed"


def erase_in_webhook(conn: Connection, key: Key, erasing: Erasing) -> Done:
    """Redact an endpoint, whose address is none any more with brackets in it."""
    return redact_row(conn, webhooks, key, erasing, PLAIN_ERASED)
