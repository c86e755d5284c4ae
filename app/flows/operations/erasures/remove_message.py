"""Removes single messages for good, so that nothing brings them back."""

from collections.abc import Callable, Sequence
from datetime import datetime

from app.domain.errors import Conflict
from app.flows.access.configure import accept
from app.storage.access.audit import add_audit
from app.storage.conversations.removal import remove_empty_conversations
from app.storage.db.database import Connection, Database
from app.storage.inbound.removal import read_for_removal, remove_messages
from app.storage.inbound.search import Message, get_message
from app.storage.operations.erasures.references import (
    cut_references,
    empty_deliveries_of,
    list_copies,
)
from app.storage.operations.erasures.tombstones import bury_messages
from app.storage.operations.events import add_events


async def remove_message(
    database: Database,
    message_id: int,
    *,
    check: Callable[[Message], None] = accept,
    who: str,
    now: datetime,
) -> None:
    """Remove a message with its raw form, its index entries, and the forward that repeats it.

    Replies stay, and point nowhere. Counts of days stay. `check` may object. Raises NotFound, and
    Conflict where it has not been handled yet.
    """

    def remove(conn: Connection) -> None:
        found = get_message(conn, message_id)
        check(found)
        if found.handled_at is None:
            raise Conflict("it is not handled yet: try again in a moment")
        conversation_ids = bury_and_remove(conn, list_copies(conn, message_id), now)
        add_audit(conn, who, "message.remove", str(message_id), {}, now)
        add_events(conn, [("conversation", each) for each in conversation_ids], now)

    await database.write(remove)


def bury_and_remove(conn: Connection, ids: Sequence[int], now: datetime) -> list[int]:
    """Remove handled messages for good; returns the ids of their conversations that are left."""
    bury_messages(conn, read_for_removal(conn, ids), now)
    cut_references(conn, ids)
    conversation_ids = remove_messages(conn, ids)
    empty_deliveries_of(conn, ids, conversation_ids)
    remove_empty_conversations(conn, conversation_ids)
    return conversation_ids
