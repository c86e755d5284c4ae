"""A message is removed while another of its conversation is handled."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.flows.inbound.handle import handle_batch
from app.storage.db.database import Connection, open_database
from app.storage.inbound.read_marks import mark_read
from app.storage.inbound.removal import remove_messages
from app.storage.tables.conversations import conversations
from tests.flows.desk import UNHURRIED, Desk
from tests.support.storage.overlap import overlap


@pytest.fixture
async def desk(postgres_url: str) -> AsyncIterator[Desk]:
    """On PostgreSQL: SQLite has a single writer."""
    database = open_database(postgres_url, Path())
    yield Desk(database)
    await database.close()


async def test_the_newest_message_is_the_one_that_is_handled_meanwhile(desk: Desk) -> None:
    [old] = await desk.receive("Hello")
    await desk.handle()
    await desk.database.write(mark_read, old, desk.now)
    desk.wait(minutes=1)
    [new] = await desk.receive("Are you open?")

    def handle(conn: Connection) -> None:
        handle_batch(conn, desk.now, limit=9, limits=UNHURRIED)

    def remove(conn: Connection) -> None:
        remove_messages(conn, [old])

    await overlap(desk.database, handle, remove)
    query = conversations.select()
    [talk] = await desk.database.read(lambda conn: conn.execute(query).all())
    assert (talk.last_message_id, talk.last_arrived_at, talk.unread) == (new, desk.now, 1)
