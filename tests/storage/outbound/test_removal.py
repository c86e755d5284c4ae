"""Which texts are old enough to be removed, found some at a time."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import insert, update

from app.storage.db.database import Connection
from app.storage.outbound.batch_rows import remove_rows
from app.storage.outbound.batches import add_batch, get_batches
from app.storage.outbound.removal import find_old_texts, remove_empty_batches, remove_old_rows
from app.storage.tables.batches import batch_rows
from app.storage.tables.outbound import outbound
from tests.support.outbox import Outbox


async def test_old_texts_are_found_until_only_newer_ones_are_left(outbox: Outbox) -> None:
    now = outbox.now()
    old = now - timedelta(microseconds=1)
    # When each was queued, and when nothing more was to be expected of it.
    for number, (created_at, settled_at) in enumerate(
        [(old, old), (old, now), (now, now), (old, None), (old, old), (now, now), (now, now)], 1
    ):
        await outbox.queue()
        change = update(outbound).where(outbound.c.id == number)
        change = change.values(created_at=created_at, settled_at=settled_at)
        await outbox.database.write(Connection.execute, change)

    async def find(after: int) -> tuple[list[int], int | None]:
        return await outbox.database.read(find_old_texts, now, after, 2)

    assert [await find(after) for after in (0, 2, 4)] == [([1], 2), ([], 4), ([5], 6)]
    assert await find(5) == ([], None)
    assert await find(6) == ([], None)


@pytest.mark.parametrize(
    ("state", "is_left"), [("loading", False), ("draft", False), ("done", True)]
)
async def test_only_a_batch_that_nobody_approved_goes_with_its_rows(
    outbox: Outbox, state: str, is_left: bool
) -> None:
    batch_id = await outbox.database.write(add_batch, "Anna", outbox.now(), {"state": state})
    await outbox.database.write(partial(remove_rows, limit=9), batch_id)
    assert bool(await outbox.database.read(get_batches, [batch_id])) is is_left


async def test_rows_go_with_age_once_their_batch_has_ended_and_at_last_the_batch(
    outbox: Outbox,
) -> None:
    now, write = outbox.now(), outbox.database.write
    old = now - timedelta(microseconds=1)
    kinds = [(old, "done"), (old, "queueing"), (old, "draft"), (now, "done"), (old, "cancelled")]

    async def read_batches() -> list[int]:
        return [row[0] for row in await outbox.fetch("SELECT id FROM batches ORDER BY id")]

    for at, state in kinds:
        batch_id = await write(add_batch, "Anna", at, {"state": state})
        for place in (1, 2):
            row = {"batch_id": batch_id, "place": place, "line": place, "parts": 1}
            new = insert(batch_rows).values(cells=[], is_opted_out=False, **row)
            await write(Connection.execute, new)
    assert await write(remove_empty_batches, now, 9) == 0
    assert [await write(remove_old_rows, now, 3) for _ in range(3)] == [3, 1, 0]
    rows = await outbox.fetch("SELECT DISTINCT batch_id FROM batch_rows ORDER BY batch_id")
    assert [each.batch_id for each in rows] == [2, 3, 4]
    await outbox.queue()
    await write(Connection.execute, update(outbound).values(batch_id=1))
    assert await write(remove_empty_batches, now, 9) == 1
    assert await read_batches() == [1, 2, 3, 4]


async def test_only_an_old_batch_that_has_ended_goes_once_it_is_empty(outbox: Outbox) -> None:
    now, write = outbox.now(), outbox.database.write
    old = now - timedelta(microseconds=1)
    kinds = [(old, "queueing"), (old, "draft"), (now, "done"), *[(old, "done")] * 3]
    ids = [await write(add_batch, "Anna", at, {"state": state}) for at, state in kinds]
    assert [await write(remove_empty_batches, now, 2) for _ in range(3)] == [2, 1, 0]
    assert sorted(await outbox.database.read(get_batches, ids)) == ids[:3]
