"""Texts of both sides are found by their words, each once, and so are their conversations."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.domain.inbound.queries import fold_words, has_words
from app.domain.outbound.requests import OutboundRequest
from app.storage.conversations.conversations import open_conversations
from app.storage.conversations.text_matches import search_texts
from app.storage.db import id_walks
from app.storage.db.database import Connection, Database
from app.storage.outbound.outbox import Addressee, queue_texts
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import outbound
from tests.flows.desk import BAR, SHOP, Desk

PEOPLE = [f"4477009000{number}" for number in range(11, 16)]
BODIES = ("The harbour", "harbour at five", "no", "see you", "HARBOUR")


@pytest.fixture
async def desk(database: Database, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(id_walks, "WALK_ROWS", 12)
    desk, rng = Desk(database), random.Random(5)

    def answer(conn: Connection, pair: tuple[str, str], body: str) -> None:
        [conversation_id] = open_conversations(conn, [pair], desk.now).values()
        request = OutboundRequest(source=pair[0], body=body)
        queue_texts(conn, request, [Addressee(pair[1], conversation_id)], "key:x", desk.now)

    for _ in range(40):
        desk.now += timedelta(minutes=1)
        pair, body = (rng.choice((SHOP, BAR)), rng.choice(PEOPLE)), rng.choice(BODIES)
        if rng.random() < 0.5:
            await database.write(answer, pair, body)
        else:
            await desk.receive(body, dest=pair[0], source=pair[1])
    await desk.handle()
    return desk


@pytest.mark.parametrize("dest", [None, SHOP])
@pytest.mark.parametrize("limit", [3, 50])
async def test_following_a_search_finds_each_text_of_both_sides_once(
    desk: Desk, dest: str | None, limit: int
) -> None:
    plain = await desk.database.read(read_plainly, dest)
    assert len(plain) > 5
    found = await read_all(desk, "Harbour", dest, limit)
    assert sorted(each[0] for each in found) == sorted(plain)


def read_plainly(conn: Connection, dest: str | None) -> list[str]:
    """The texts that hold the word harbour."""
    received = conn.execute(select(messages.c.id, messages.c.body, messages.c.dest)).all()
    sent = conn.execute(select(outbound.c.id, outbound.c.body, outbound.c.source)).all()
    kinds = (("Message", received), ("OutboundText", sent))
    return [
        f"{kind}{row[0]}"
        for kind, rows in kinds
        for row in rows
        if has_words(row.body, ["harbour"]) and row[2] == (dest or row[2])
    ]


async def read_all(
    desk: Desk, q: str, dest: str | None, limit: int
) -> list[tuple[str, str, int | None]]:
    found, before = [], None
    while True:
        page = await desk.database.read(
            search_texts, fold_words(q), dest=dest, before=before, limit=limit
        )
        assert len(page.items) <= limit
        found += [
            (type(each).__name__ + str(each.id), each.body, each.conversation_id)
            for each in page.items
        ]
        if page.next is None:
            return found
        before = page.next
