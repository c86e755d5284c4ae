"""What is old enough to be removed, found some at a time."""

from datetime import timedelta

from sqlalchemy import insert, select, update

from app.storage.db.database import Connection, Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.read_marks import mark_all_read
from app.storage.inbound.removal import (
    IDS_A_BLOCK,
    find_last_message,
    find_old_messages,
    read_for_removal,
    remove_messages,
    remove_old_blocks,
)
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_blocks, messages
from tests.conftest import NOW
from tests.flows.desk import Desk
from tests.support.messages import make_message

TALKS = select(conversations.c.id).order_by(conversations.c.id)
OLD = NOW - timedelta(microseconds=1)


async def test_old_messages_are_found_until_only_newer_ones_are_left(database: Database) -> None:
    arrivals = [OLD, OLD, NOW, OLD, OLD, NOW, NOW]
    batch = [make_message(place, arrived_at=at) for place, at in enumerate(arrivals)]
    inserter = make_inserter(database)
    await inserter.insert(batch, NOW)
    inserter.abandon()
    handled = update(messages).where(messages.c.id != 5).values(handled_at=NOW)
    await database.write(lambda conn: conn.execute(handled))
    found, after = [], 0
    for _ in range(3):
        ids, following = await database.read(find_old_messages, NOW, after, 2)
        found.append((ids, following))
        after = following or 0
    # The third is new, the fifth has not been handled.
    assert found == [([1, 2], 2), ([4], 4), ([], 6)]
    assert await database.read(find_old_messages, NOW, 6, 2) == ([], None)
    assert await database.read(find_old_messages, NOW, 5, 2) == ([], None)


async def test_the_last_message_of_a_long_conversation_is_among_the_newest(
    database: Database,
) -> None:
    desk = Desk(database)
    ids = await desk.receive(*["Hello"] * 102)
    await desk.receive("Hello", source="447700900002")
    await desk.handle(limit=200)
    [talk, _] = await database.read(lambda conn: [*conn.execute(TALKS).scalars()])
    last = await database.read(find_last_message, talk)
    assert last is not None
    assert last.id == ids[-1]


async def test_a_conversation_is_mended_after_its_own_messages_and_no_other_is(
    database: Database,
) -> None:
    desk = Desk(database)
    table = conversations.c
    ids = []
    for source in ("447700900011", "447700900012", "447700900013"):
        for _ in range(3):
            desk.wait(minutes=1)
            ids += await desk.receive("Hello", source=source)
    await desk.handle()
    await database.write(mark_all_read, [ids[0], ids[4]], NOW)
    await database.write(
        lambda conn: conn.execute(update(conversations).values(awaits_answer=True))
    )
    columns = (table.unread, table.last_message_id, table.last_arrived_at, table.awaits_answer)
    query = select(*columns).order_by(table.source)

    async def read() -> list[tuple[object, ...]]:
        return [tuple(each) for each in await database.read(lambda conn: conn.execute(query).all())]

    third = (await read())[2]
    # One that was read and the newest, and a whole conversation.
    gone = [ids[0], ids[2], *ids[3:6]]
    assert len(await database.write(remove_messages, gone)) == 2
    left = NOW + timedelta(minutes=2)
    assert await read() == [(1, ids[1], left, True), (0, None, None, False), third]


async def test_only_what_goes_is_known_as_erased_afterwards(database: Database) -> None:
    ids = await Desk(database).receive("One", "Two", "Three")
    found = await database.read(read_for_removal, ids[1:])
    keys = [number.to_bytes(32, "big") for number in (2, 3)]
    assert [(key, each.body) for key, each in found] == list(
        zip(keys, ("Two", "Three"), strict=True)
    )


async def test_the_times_of_ids_are_kept_as_long_as_one_of_their_block_is(
    database: Database,
) -> None:
    times = {"first_received_at": NOW, "last_received_at": NOW}
    blocks = [{"block": block, **times} for block in range(5)]
    await database.write(lambda conn: conn.execute(insert(message_blocks), blocks))

    async def forget() -> list[int]:
        await database.write(remove_old_blocks)
        query = select(message_blocks.c.block).order_by(message_blocks.c.block)
        return await database.read(lambda conn: [*conn.execute(query).scalars()])

    assert await forget() == [0, 1, 2, 3, 4]
    await Desk(database).receive("One", "Two")
    for number in (1, 2):
        moved = update(messages).where(messages.c.id == number)
        moved = moved.values(id=(number + 1) * IDS_A_BLOCK + 5)
        await database.write(Connection.execute, moved)
    assert await forget() == [2, 3, 4]
