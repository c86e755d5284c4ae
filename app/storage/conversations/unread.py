"""What is unread: in how many conversations, and which texts came in last."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from app.storage.inbound.search import Message, get_messages
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index


def count_unread(conn: Connection, *, at_most: int) -> int:
    """How many conversations have unread texts; no more than `at_most` are counted."""
    unread = select(conversations.c.id).where(conversations.c.unread > 0).limit(at_most)
    found: int = conn.execute(select(func.count()).select_from(unread.subquery())).scalar_one()
    return found


def find_newest_id(conn: Connection) -> int:
    """The id of the newest text that was handled; 0 if there is none."""
    return conn.execute(select(func.max(message_index.c.message_id))).scalar() or 0


def list_unread_after(conn: Connection, message_id: int, *, limit: int) -> Sequence[Message]:
    """The newest unread texts after that one, newest first."""
    table = message_index.c
    newest = (
        select(table.message_id)
        .where(table.unread, table.message_id > message_id)
        .order_by(table.message_id.desc())
        .limit(limit)
    )
    ids = conn.execute(newest).scalars().all()
    found = get_messages(conn, ids)
    return [found[each] for each in ids if each in found]
