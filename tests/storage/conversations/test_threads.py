"""A conversation's thread: both sides merged, page by page, without a gap or a double."""

from datetime import datetime, timedelta
from random import Random

import pytest

from app.domain.outbound.requests import OutboundRequest
from app.flows.inbound.handle import handle_batch
from app.storage.conversations.conversations import get_conversation, open_conversations
from app.storage.conversations.notes import Note, add_note
from app.storage.conversations.threads import list_thread
from app.storage.db.database import Connection, Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.search import Message
from app.storage.outbound.outbox import Addressee, queue_texts
from app.storage.outbound.texts import OutboundText
from tests.conftest import NOW
from tests.support.messages import make_message

SHOP, SENDER = "447700900100", "447700900001"
SIDES = {Message: "in", OutboundText: "out", Note: "note"}


def write(conn: Connection, conversation_id: int, now: datetime) -> None:
    addressee = Addressee(SENDER, conversation_id)
    queue_texts(conn, OutboundRequest(SHOP, "Hi"), [addressee], "key:x", now)


@pytest.mark.parametrize("seed", range(4))
async def test_every_text_is_on_one_page_whatever_comes_in_meanwhile(
    database: Database, seed: int
) -> None:
    random = Random(seed)
    found = await database.write(open_conversations, [(SHOP, SENDER)], NOW)
    [conversation_id] = found.values()
    inserter = make_inserter(database)
    count = 0

    async def add(now: datetime) -> None:
        nonlocal count
        count += 1
        side = random.choice(["in", "out", "note"])
        if side == "out":
            await database.write(write, conversation_id, now)
            return
        if side == "note":
            await database.write(add_note, conversation_id, "key:x", "A note", now)
            return
        # Spooled texts arrived long before they are stored.
        arrived_at = now - timedelta(minutes=random.choice([0, 0, 0, 30]))
        message = make_message(count, source=SENDER, dest=SHOP, arrived_at=arrived_at)
        await inserter.insert([message], now)
        if random.random() < 0.8:
            await database.write(handle_batch, now)

    now = NOW
    for _ in range(30):
        now += timedelta(minutes=random.choice([0, 1, 5]))
        await add(now)
    expected = count
    seen: list[tuple[str, int]] = []
    place = None
    while True:
        conversation = await database.read(get_conversation, conversation_id)
        limit = random.choice([1, 2, 7])
        page = await database.read(list_thread, conversation, before=place, limit=limit)
        assert len(page.items) <= limit
        seen += [(SIDES[type(item)], item.id) for item in page.items]
        place = page.next
        if place is None:
            break
        await add(now)
    inserter.abandon()
    assert len(seen) == len(set(seen)) == expected
    for side in SIDES.values():
        ids = [number for where, number in seen if where == side]
        assert ids == sorted(ids, reverse=True)
