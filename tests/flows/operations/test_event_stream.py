"""Following the events: every one, once, whenever a client comes."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from app.flows.operations.changes import Change
from app.flows.operations.event_stream import EventTail, Follower
from app.storage.db.wakeups import Wakeups
from app.storage.operations.events import add_event
from tests.support.outbox import Outbox


class SlowDoor(EventTail):
    """A tail at which something happens between a client's last page and its joining."""

    outbox: Outbox
    others: AsyncGenerator[Change, None]

    async def join(self, follower: Follower) -> int:
        if self._followers:
            await add(self.outbox)
            await anext(self.others)  # by now the tail has read it, and told the others alone
        return await super().join(follower)


class BrokenTail(EventTail):
    """A tail whose first readings fail."""

    failures = iter([ValueError("no such thing"), KeyError("nor this")])

    async def read(self, place: int) -> Any:
        if (failure := next(self.failures, None)) is not None:
            raise failure
        return await super().read(place)


async def add(outbox: Outbox) -> None:
    number = await outbox.queue()
    await outbox.database.write(add_event, "outbound", number, outbox.now())


async def test_what_happens_while_a_client_joins_reaches_it_once(outbox: Outbox) -> None:
    async with asyncio.timeout(20):
        await join_late(outbox)


async def join_late(outbox: Outbox) -> None:
    wakeups = Wakeups(outbox.database)
    tail = SlowDoor(outbox.database, wakeups)
    tail.outbox, tail.others = outbox, tail.make_follower().follow(None)
    await add(outbox)
    await anext(tail.others)
    client = tail.make_follower().follow(0)
    assert [(await anext(client)).id for _ in range(2)] == [1, 2]
    await add(outbox)
    assert (await anext(client)).id == 3
    await tail.close()
    assert [change.id async for change in client] == []
    await wakeups.close()


async def test_an_error_in_one_reading_ends_nobody(outbox: Outbox) -> None:
    """The next reading tells what this one did not."""
    wakeups = Wakeups(outbox.database)
    tail = BrokenTail(outbox.database, wakeups)
    client = tail.make_follower().follow(None)
    async with asyncio.timeout(20):
        assert (await anext(client)).kind == "ready"
        await add(outbox)
        assert (await anext(client)).id == 1
    await tail.close()
    await wakeups.close()
