"""What happens to one message leaves every other, and every other conversation, as it is."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.flows.conversations.mark_read import mark_read, mark_unread
from app.storage.db.database import Connection, Database
from app.storage.outbound.sending.expiry import expire_overdue
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from tests.flows.desk import SENDER
from tests.flows.inbound.test_replay import Past

OTHERS = ["447700900061", "447700900062"]


async def add_bystanders(past: Past) -> list[int]:
    """From each of others a message that is read and one that is not, all answered."""
    ids = []
    for source in OTHERS:
        ids += await past.receive("Hello", "Hello", source=source)
    await past.handle()
    await past.database.write(_fill, ids, ids[::2], past.now)
    return ids


def _fill(conn: Connection, ids: Sequence[int], read: Sequence[int], now: datetime) -> None:
    mine = messages.c.id
    conn.execute(update(messages).where(mine.in_(ids)).values(outcome="replied", rule_id=7))
    conn.execute(update(messages).where(mine.in_(read)).values(read_at=now))
    index = message_index.c.message_id
    conn.execute(update(message_index).where(index.in_(read)).values(unread=False))


def _look_at(conn: Connection, ids: Sequence[int]) -> list[Any]:
    found = []
    for column in (messages.c.id, message_index.c.message_id):
        query = select(column.table).where(column.in_(ids)).order_by(column)
        found += [tuple(row) for row in conn.execute(query)]
    theirs = select(conversations).where(conversations.c.source.in_(OTHERS))
    return found + [tuple(row) for row in conn.execute(theirs.order_by(conversations.c.id))]


async def reuse_an_id(past: Past) -> None:
    await past.hear("One", provider_id="7")
    [second] = await past.receive("Two", provider_id="7")
    await past.handle()
    [message] = await past.read([second])
    assert message.problems == "id-reused"


async def repeat_the_report(past: Past) -> None:
    [reported] = await past.receive("Hi", via="report", provider_id="R1")
    [forwarded] = await past.receive("Hi", provider_id="77")
    await past.handle()
    [message] = await past.read([forwarded])
    assert (message.duplicate_of, message.read_at) == (reported, past.now)


async def read_it(past: Past) -> None:
    number = await past.forward()
    assert (await mark_read(past.database, number, now=past.now)).read_at == past.now
    await mark_unread(past.database, number)
    assert (await past.read([number]))[0].read_at is None


async def replay(past: Past) -> None:
    stays = await past.forward(body="misread")
    assert (await past.replay(stays)).message.body == "Hello"
    await past.forward("One that stays", source="447700900002", dedupe_key=b"x" * 16)
    for source in ("447700900002", "447700900003"):
        moves = await past.forward("Other", source=source, dedupe_key=source.encode())
        assert (await past.replay(moves)).message.source == SENDER


async def miss_its_reply(past: Past) -> None:
    await past.add_rule()
    number = await past.forward()
    assert await past.database.write(expire_overdue, past.now + timedelta(days=3)) == 1
    assert (await past.read([number]))[0].outcome_code == "expired"


@pytest.mark.parametrize(
    "happen", [reuse_an_id, repeat_the_report, read_it, replay, miss_its_reply]
)
async def test_what_happens_to_a_message_changes_no_other(
    database: Database, happen: Callable[[Past], Awaitable[None]]
) -> None:
    past = Past(database)
    others = await add_bystanders(past)
    before = await database.read(_look_at, others)
    await happen(past)
    assert await database.read(_look_at, others) == before
