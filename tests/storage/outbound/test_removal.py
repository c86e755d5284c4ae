"""Which texts are old enough to be removed, found some at a time."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import update

from app.storage.db.database import Connection
from app.storage.outbound.batch_rows import remove_rows
from app.storage.outbound.batches import add_batch, get_batches
from app.storage.outbound.removal import find_old_texts
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
