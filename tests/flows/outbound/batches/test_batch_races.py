"""Two processes that get at one batch at once: its row's lock has the second see what was done."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.flows.outbound.batches import send_batch
from app.storage.db.database import Connection, open_database
from app.storage.outbound.batches import change_batch, lock_batch
from tests.flows.outbound.batches.staging import CROWD, advance, approve, count, name_rows, stage
from tests.support.outbox import Outbox, open_outbox
from tests.support.storage.overlap import Work, overlap

NUMBERS = CROWD[:3]


@pytest.fixture
async def outbox(postgres_url: str) -> AsyncIterator[Outbox]:
    """On PostgreSQL: SQLite has a single writer."""
    database = open_database(postgres_url, Path())
    async with open_outbox(database) as opened:
        yield opened
    await database.close()


@pytest.fixture
async def batch_id(outbox: Outbox) -> int:
    """A batch that is approved, of whose rows no text is made yet."""
    number = await stage(outbox, name_rows(NUMBERS))
    await approve(outbox, number)
    return number


def advance_once(batch_id: int, outbox: Outbox) -> Work:
    return lambda conn: send_batch._advance(conn, batch_id, outbox.now())


def cancel(batch_id: int) -> Work:
    def work(conn: Connection) -> None:
        assert lock_batch(conn, batch_id).state == "queueing"
        change_batch(conn, batch_id, state="cancelling", cancelled_by="session:Ada")

    return work


async def test_two_processes_make_each_text_once(outbox: Outbox, batch_id: int) -> None:
    step = advance_once(batch_id, outbox)
    assert await overlap(outbox.database, step, step) == 0
    made = await outbox.fetch("SELECT to_number, batch_place FROM outbound ORDER BY id")
    assert [tuple(row) for row in made] == [(each, n) for n, each in enumerate(NUMBERS, 1)]


async def test_no_text_is_made_of_a_batch_that_is_cancelled_meanwhile(
    outbox: Outbox, batch_id: int
) -> None:
    await overlap(outbox.database, cancel(batch_id), advance_once(batch_id, outbox))
    await advance(outbox)
    assert await outbox.fetch("SELECT id FROM outbound") == []
    assert await count(outbox, batch_id) == {"cancelled": 3}
