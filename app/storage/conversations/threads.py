"""What a thread shows besides its texts: a message's page, and authors."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from app.domain.ids import LAST_ID
from app.storage.conversations.conversations import Conversation
from app.storage.inbound.search import get_message
from app.storage.tables.outbound import outbound, status_changes


def find_place(conn: Connection, conversation: Conversation, message_id: int) -> tuple[int, int]:
    """The `before` of the page whose newest message is this one. Raises NotFound."""
    arrived_at = get_message(conn, message_id).arrived_at
    later = (
        select(outbound.c.id)
        .where(outbound.c.conversation_id == conversation.id, outbound.c.created_at > arrived_at)
        .order_by(outbound.c.id)
        .limit(1)
    )
    return message_id + 1, conn.execute(later).scalar() or LAST_ID


def list_authors(conn: Connection, outbound_ids: Sequence[int]) -> dict[int, str]:
    """Who wrote each text, from the first line of its history."""
    table = status_changes.c
    query = (
        select(table.outbound_id, table.source)
        .where(table.outbound_id.in_(outbound_ids), table.status == "queued")
        .order_by(table.id.desc())
    )
    return dict(conn.execute(query).all()) if outbound_ids else {}
