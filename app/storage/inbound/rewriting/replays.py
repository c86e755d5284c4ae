"""Rewrites a message, its index and its conversation after its raw bytes were parsed again."""

from sqlalchemy import Connection, delete, exists, select, update

from app.domain.inbound.messages import make_number_key, make_provider_key
from app.storage.db.writes import Writes
from app.storage.inbound.handling import widen_blocks
from app.storage.inbound.removal import find_last_message
from app.storage.inbound.search import Message, get_message
from app.storage.inbound.text_search import replace_body
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound

# What parsing makes of the raw bytes.
PARSED_FIELDS = (
    "provider_id",
    "source",
    "dest",
    "body",
    "received_at",
    "received_raw",
    "merge_fields",
    "extra",
    "problems",
)


def lock_message(conn: Connection, message_id: int) -> Message:
    """The message, locked until the commit. Raises NotFound."""
    conn.execute(select(messages.c.id).where(messages.c.id == message_id).with_for_update())
    return get_message(conn, message_id)


def has_reply(conn: Connection, message_id: int) -> bool:
    """Whether a reply to it has been queued, by a rule or by hand."""
    query = select(exists().where(outbound.c.in_reply_to == message_id))
    return bool(conn.execute(query).scalar())


def rewrite_message(conn: Connection, old: Message, new: Message, conversation_id: int) -> None:
    """Store the fields as they are read now, and index them; the counts of the day stay."""
    conn.execute(
        update(messages)
        .where(messages.c.id == old.id)
        .values({name: getattr(new, name) for name in PARSED_FIELDS})
    )
    conn.execute(
        update(message_index)
        .where(message_index.c.message_id == old.id)
        .values(
            conversation_id=conversation_id,
            source_key=make_number_key(new.source),
            dest_key=make_number_key(new.dest),
            identity_key=new.identity_key or b"",
            has_problems=bool(new.problems),
            provider_key=make_provider_key(new.provider_id),
        )
    )
    writes = Writes()
    widen_blocks(writes, [new])
    if old.body != new.body:
        replace_body(conn, writes, old.id, old.body, new.body)
    writes.run(conn)


def rekey_message(conn: Connection, message_id: int, dedupe_key: bytes) -> None:
    """Recognise redeliveries by what is read now, unless one has been stored already."""
    taken = exists().where(messages.alias().c.dedupe_key == dedupe_key)
    conn.execute(
        update(messages).where(messages.c.id == message_id, ~taken).values(dedupe_key=dedupe_key)
    )


def lock_conversation(conn: Connection, pair_key: bytes) -> None:
    """Lock a pair's row until the commit; several are locked in the order of their keys."""
    mine = conversations.c.pair_key == pair_key
    conn.execute(select(conversations.c.id).where(mine).with_for_update())


def leave_conversation(conn: Connection, pair_key: bytes, *, was_unread: bool) -> None:
    """Correct a pair that a message has left: another one is its newest, or it is removed."""
    found = conn.execute(select(conversations).where(conversations.c.pair_key == pair_key)).first()
    if found is None:
        return
    newest = find_last_message(conn, found.id)
    mine = conversations.c.id == found.id
    written = select(exists().where(outbound.c.conversation_id == found.id))
    if newest is None and not conn.execute(written).scalar():
        conn.execute(delete(conversations).where(mine))
        return
    conn.execute(
        update(conversations)
        .where(mine)
        .values(
            last_message_id=newest.id if newest else None,
            last_arrived_at=newest.arrived_at if newest else None,
            unread=found.unread - (was_unread and found.unread > 0),
            awaits_answer=found.awaits_answer and newest is not None,
        )
    )
