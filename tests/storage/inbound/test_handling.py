"""What handling takes off the queue, and what it keeps of messages and their conversation."""

from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from app.domain.inbound.messages import StoredMessage
from app.storage.db.database import Connection, Database
from app.storage.inbound.handling import claim_unhandled, list_waiting, upsert_conversations
from app.storage.tables.conversations import conversations
from tests.conftest import NOW
from tests.flows.desk import Desk
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


async def test_a_conversation_goes_forward_alone_and_is_opened_by_new_texts_alone(
    database: Database,
) -> None:
    table = conversations.c
    columns = (table.last_message_id, table.last_arrived_at, table.updated_at)
    state = (table.state, table.awaits_answer)

    async def change(**values: object) -> None:
        await database.write(Connection.execute, update(conversations).values(**values))

    async def take(number: int, at: datetime, *, are_new: bool) -> tuple[object, ...]:
        upsert = partial(upsert_conversations, are_new=are_new)
        await database.write(upsert, [arrive(number, at)])
        query = select(*columns, *state)
        return tuple(await database.read(lambda conn: conn.execute(query).one()))

    before, later, last = NOW - SECOND, NOW + SECOND, NOW + 2 * SECOND
    assert await take(1, NOW, are_new=True) == (1, NOW, NOW, "open", True)
    await change(state="closed", awaits_answer=False)
    assert await take(2, later, are_new=False) == (2, later, later, "closed", False)
    assert await take(3, before, are_new=True) == (2, later, later, "open", True)
    assert await take(4, last, are_new=False) == (4, last, last, "open", True)
    # We have written, and nobody has answered yet.
    await change(last_message_id=None, last_arrived_at=None)
    assert await take(5, before, are_new=True) == (5, before, last, "open", True)


async def test_the_oldest_are_claimed_and_of_them_only_those_asked_for(database: Database) -> None:
    first, second, third = await Desk(database).receive("a", "b", "c")

    async def claim(limit: int, only: list[int] | None = None) -> list[int]:
        claimed = await database.write(partial(claim_unhandled, limit=limit, only=only))
        return [each.id for each in claimed]

    assert await claim(2) == [first, second]
    assert await claim(9, [third, second]) == [second, third]
    assert await claim(9, []) == []
    assert await database.read(partial(list_waiting, limit=2)) == {first: "a", second: "b"}


async def test_an_id_that_comes_again_is_flagged_beside_what_else_is_odd(
    database: Database,
) -> None:
    desk = Desk(database)
    found = []
    for ids in (["7", "7", None, None], ["7", None]):
        texts = [
            text
            for name in ids
            for text in await desk.receive("Hello", provider_id=name, problems=("charset",))
        ]
        await desk.handle()
        found.append([each.problems for each in await desk.read(texts)])
    again = "charset id-reused"
    assert found == [["charset", again, "charset", "charset"], [again, "charset"]]


async def test_who_writes_again_after_stop_awaits_an_answer(database: Database) -> None:
    desk = Desk(database)
    await desk.hear("STOP", "Please call me")
    await desk.hear("STOP", source="447700900002")
    query = select(conversations.c.awaits_answer).order_by(conversations.c.id)
    assert await database.read(lambda conn: [*conn.execute(query).scalars()]) == [True, False]
