"""What is old enough to be removed, found some at a time."""

from datetime import timedelta

from sqlalchemy import update

from app.storage.db.database import Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.removal import find_old_messages
from app.storage.tables.inbound import messages
from tests.conftest import NOW
from tests.support.messages import make_message

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
