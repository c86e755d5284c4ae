"""What handling keeps of a conversation, in whatever order its messages are handled."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.domain.inbound.messages import StoredMessage
from app.storage.db.database import Database
from app.storage.inbound.handling import upsert_conversations
from app.storage.tables.conversations import conversations
from tests.conftest import NOW
from tests.support.messages import make_stored


def arrive(number: int, arrived_at: datetime = NOW, name: str = "") -> StoredMessage:
    fields = {"name": name} if name else {}
    return make_stored(id=number, arrived_at=arrived_at, merge_fields=fields)


SECOND = timedelta(seconds=1)
BATCHES = [
    [[arrive(1), arrive(2)]],
    [[arrive(2), arrive(1)]],
    [[arrive(1)], [arrive(2)]],
    [[arrive(2)], [arrive(1)]],
    [[arrive(2, NOW)], [arrive(3, NOW - SECOND), arrive(1, NOW)]],
    [[arrive(1, NOW + SECOND)], [arrive(2, NOW + 2 * SECOND)], [arrive(3, NOW)]],
]


@pytest.mark.parametrize("batches", BATCHES)
async def test_the_last_message_is_the_newest_by_arrival_then_by_id(
    database: Database, batches: list[list[StoredMessage]]
) -> None:
    for batch in batches:
        await database.write(upsert_conversations, batch)
    [row] = await database.read(lambda conn: conn.execute(select(conversations)).all())
    assert row.last_message_id == 2
    assert row.unread == sum(map(len, batches))
