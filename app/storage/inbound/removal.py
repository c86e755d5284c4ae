"""Removes messages for good, from every table and index that knows them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from app.domain.inbound.messages import StoredMessage
from app.storage.inbound.search import STORED_COLUMNS
from app.storage.inbound.text_search import remove_bodies
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_blocks, message_index, messages

IDS_A_BLOCK = 1024


def find_old_messages(
    conn: Connection, before: datetime, after: int, limit: int
) -> tuple[list[int], int | None]:
    """Of the next `limit` messages behind that id, those to remove; and the id to go on from.

    None once there is no older one: ids ascend roughly with the time of arrival. What has not been
    handled stays.
    """
    table = messages.c
    query = select(table.id, table.arrived_at, table.handled_at).where(table.id > after)
    rows = conn.execute(query.order_by(table.id).limit(limit)).all()
    old = [row.id for row in rows if row.arrived_at < before and row.handled_at is not None]
    is_end = len(rows) < limit or all(row.arrived_at >= before for row in rows)
    return old, None if is_end else rows[-1].id


def read_for_removal(conn: Connection, ids: Sequence[int]) -> list[tuple[bytes, StoredMessage]]:
    """Messages with their dedupe keys, by which they are known if they come again."""
    query = select(*STORED_COLUMNS, messages.c.dedupe_key).where(messages.c.id.in_(ids))
    rows = conn.execute(query.order_by(messages.c.id))
    return [(row.dedupe_key, StoredMessage(*row[:-1])) for row in rows]


def remove_messages(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Remove handled messages; returns the ids of their conversations.

    Conversations are locked before messages, as handling does. Counts of days stay.
    """
    index = message_index.c
    of_these = select(index.conversation_id).where(index.message_id.in_(ids))
    conn.execute(
        select(conversations.c.id)
        .where(conversations.c.id.in_(of_these))
        .order_by(conversations.c.id)
        .with_for_update()
    )
    texts = select(messages.c.id, messages.c.body).where(messages.c.id.in_(ids))
    remove_bodies(conn, [(row.id, row.body) for row in conn.execute(texts.order_by(messages.c.id))])
    gone = delete(message_index).where(index.message_id.in_(ids))
    rows = conn.execute(gone.returning(index.conversation_id, index.unread)).all()
    conn.execute(delete(messages).where(messages.c.id.in_(ids)))
    _mend_conversations(conn, rows, ids)
    return sorted({row.conversation_id for row in rows})


def remove_old_blocks(conn: Connection) -> None:
    """Forget the times of blocks of ids of which no message is left."""
    first = conn.execute(select(messages.c.id).order_by(messages.c.id).limit(1)).scalar()
    if first is not None:
        gone = message_blocks.c.block < first // IDS_A_BLOCK
        conn.execute(delete(message_blocks).where(gone))


def _mend_conversations(
    conn: Connection, gone: Sequence[Row[Any, Any]], ids: Sequence[int]
) -> None:
    unread = Counter(row.conversation_id for row in gone if row.unread)
    table = conversations.c
    for conversation_id, count in sorted(unread.items()):
        mine = update(conversations).where(table.id == conversation_id)
        conn.execute(mine.values(unread=table.unread - count))
    touched = select(table.id).where(
        table.id.in_({row.conversation_id for row in gone}), table.last_message_id.in_(ids)
    )
    for conversation_id in conn.execute(touched.order_by(table.id)).scalars().all():
        last = find_last_message(conn, conversation_id)
        mine = update(conversations).where(table.id == conversation_id)
        values = (None, None) if last is None else (last.id, last.arrived_at)
        conn.execute(
            mine.values(
                last_message_id=values[0],
                last_arrived_at=values[1],
                awaits_answer=table.awaits_answer if last is not None else False,
            )
        )


def find_last_message(conn: Connection, conversation_id: int) -> Row[Any, Any] | None:
    """The newest message of a conversation by (arrived_at, id), as handling decides it.

    Of the last hundred stored: texts that waited in a spool are stored late.
    """
    index = message_index.c
    newest = select(index.message_id).where(index.conversation_id == conversation_id)
    few = newest.order_by(index.message_id.desc()).limit(100)
    query = select(messages.c.id, messages.c.arrived_at).where(messages.c.id.in_(few))
    order = (messages.c.arrived_at.desc(), messages.c.id.desc())
    return conn.execute(query.order_by(*order).limit(1)).first()
