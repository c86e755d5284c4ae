"""A message that is read anew: its fields, its index and its conversation follow."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.domain.ids import LAST_ID
from app.domain.inbound.messages import (
    make_identity_key,
    make_number_key,
    make_pair_key,
    make_provider_key,
)
from app.storage.db.database import Connection, Database
from app.storage.inbound.rewriting.replays import (
    has_reply,
    leave_conversation,
    rewrite_message,
)
from app.storage.inbound.search import get_message
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_blocks, message_index
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.flows.desk import SENDER, SHOP, Desk

OTHER = "447700900002"
INDEXED = ("conversation_id", "source_key", "dest_key", "identity_key", "has_problems")


def list_indexed(conn: Connection, word: str) -> list[Any]:
    query = MESSAGE_INDEX.select_candidates(
        conn.dialect.name, [word], top=LAST_ID, bottom=0, count=9
    )
    return sorted(number for [number] in conn.execute(query))


async def test_all_that_knows_a_message_knows_it_as_it_is_read_now(database: Database) -> None:
    desk = Desk(database)
    ids = await desk.receive("misread", "misread", source=OTHER, provider_id=None)
    await desk.handle()
    earlier = NOW - timedelta(hours=1)
    fields: dict[str, Any] = {
        "provider_id": "7",
        "source": SENDER,
        "body": "Hello",
        "received_at": earlier,
        "received_raw": "as it came",
        "merge_fields": {"name": "Ada"},
        "extra": {"odd": "yes"},
        "problems": "control",
    }
    old, untouched = await desk.read(ids)
    new = replace(old, **fields)
    await database.write(rewrite_message, old, new, 77)
    assert await database.read(get_message, ids[0]) == replace(new, conversation_id=77)
    assert await database.read(get_message, ids[1]) == untouched
    columns = [*INDEXED, "provider_key"]
    query = select(*(message_index.c[name] for name in columns)).order_by(
        message_index.c.message_id
    )
    rows = await database.read(lambda conn: conn.execute(query).all())
    assert tuple(rows[0]) == (
        77,
        make_number_key(SENDER),
        make_number_key(SHOP),
        make_identity_key(SHOP, SENDER, "7"),
        True,
        make_provider_key("7"),
    )
    assert tuple(rows[1][1:]) == (make_number_key(OTHER), make_number_key(SHOP), b"", False, None)
    assert await database.read(list_indexed, "misread") == ids[1:]
    assert await database.read(list_indexed, "hello") == ids[:1]
    # Whoever looks for that time must find the message.
    first = select(message_blocks.c.first_received_at)
    assert await database.read(lambda conn: conn.execute(first).scalar()) == earlier


@pytest.mark.parametrize("is_read", [False, True])
async def test_a_conversation_that_a_message_left_is_that_of_the_others(
    database: Database, is_read: bool
) -> None:
    desk = Desk(database)
    ids = []
    for source in (OTHER, OTHER, SENDER):
        desk.wait(minutes=1)
        ids += await desk.receive("Hello", source=source)
    await desk.handle()

    def prepare(conn: Connection) -> None:
        conn.execute(update(conversations).values(awaits_answer=True))
        moved = update(message_index).where(message_index.c.message_id == ids[1])
        conn.execute(moved.values(conversation_id=77))

    await database.write(prepare)

    def leave(conn: Connection) -> None:
        leave_conversation(conn, make_pair_key(SHOP, OTHER), was_unread=not is_read)

    await database.write(leave)
    table = conversations.c
    query = select(table.last_message_id, table.last_arrived_at, table.unread, table.awaits_answer)
    query = query.order_by(table.source.desc())
    rows = await database.read(lambda conn: conn.execute(query).all())
    assert [tuple(each) for each in rows] == [
        (ids[0], NOW + timedelta(minutes=1), 2 if is_read else 1, True),
        (ids[2], NOW + timedelta(minutes=3), 1, True),
    ]


@pytest.mark.parametrize(("number", "is_left"), [(OTHER, True), (SENDER, False)])
async def test_an_empty_conversation_stays_if_it_is_one_that_we_wrote_to(
    database: Database, number: str, is_left: bool
) -> None:
    desk = Desk(database)
    for source in (OTHER, SENDER):
        await desk.receive("Hello", source=source)
        await desk.handle()
    query = select(conversations.c.id, conversations.c.source)
    ids = {row.source: row.id for row in await database.read(lambda c: c.execute(query).all())}

    def prepare(conn: Connection) -> None:
        conn.execute(update(message_index).values(conversation_id=77))
        conn.execute(update(conversations).values(awaits_answer=True))

    await desk.write_to(number)
    await database.write(Connection.execute, update(outbound).values(conversation_id=ids[number]))
    await database.write(prepare)

    def leave(conn: Connection) -> None:
        leave_conversation(conn, make_pair_key(SHOP, OTHER), was_unread=True)

    await database.write(leave)
    found = select(conversations).order_by(conversations.c.source)
    rows = {row.source: row for row in await database.read(lambda c: c.execute(found).all())}
    assert (OTHER in rows) is is_left
    assert rows[SENDER].awaits_answer
    if is_left:
        left = rows[OTHER]
        assert (left.last_message_id, left.last_arrived_at, left.unread) == (None, None, 0)
        assert not left.awaits_answer


async def test_a_message_has_only_a_reply_of_its_own(database: Database) -> None:
    desk = Desk(database)
    first, second = await desk.receive("One", "Two")
    await desk.write_to(SENDER, in_reply_to=second)
    assert [await database.read(has_reply, each) for each in (first, second)] == [False, True]
