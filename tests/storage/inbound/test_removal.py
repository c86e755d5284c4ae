"""What is old enough to be removed, found some at a time."""

from datetime import timedelta

from sqlalchemy import select, update

from app.storage.db.database import Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.removal import find_last_message, find_old_messages
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import messages
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
