"""Texts that go out are found by their words, indexed or not, against the plainest way to look."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.util import await_only

from app.domain.inbound.queries import fold_words, has_words
from app.domain.outbound.requests import OutboundRequest
from app.storage.db import id_walks
from app.storage.db.database import Connection, Database
from app.storage.outbound import lists, text_search
from app.storage.outbound.lists import OutboundFilter
from app.storage.outbound.outbox import Addressee, queue_texts
from app.storage.tables.operations import index_progress, refills
from app.storage.tables.outbound import outbound
from tests.conftest import NOW

WORDS = ("Hello", "Caf\u00e9", "cafe\u0301", "50%", "a_b", "\\x", "it\u2019s", '"q"', "no")
QUERIES = ("hel", "CAF\u00c9", "%", "_", "\\x", '"q', "zzz", "it's", "o", "hello no")
ADA, GRACE = "447700900011", "447700900012"


async def queue(database: Database, *bodies: str, to: str = ADA, **fields: Any) -> list[int]:
    at = fields.pop("now", NOW)
    requests = [OutboundRequest(**{"source": "447700900100", "body": b} | fields) for b in bodies]

    def add(conn: Connection) -> list[int]:
        return [
            found
            for each in requests
            for found in queue_texts(conn, each, [Addressee(to)], "key:x", at)
        ]

    return await database.write(add)


async def index_all(database: Database) -> int:
    steps = 1
    while await database.write(text_search.index_texts):
        steps += 1
        assert steps < 1000
    return steps


async def find(database: Database, q: str, limit: int = 50, **more: Any) -> list[int]:
    """By pages, as whoever follows `next`."""
    wanted, ids, before = OutboundFilter(words=fold_words(q), **more), [], None
    while True:
        page = await database.read(lists.list_outbound, wanted, before=before, limit=limit)
        ids += [each.id for each in page.texts]
        if page.next is None:
            return ids
        assert before is None or page.next[1] < before[1]
        before = page.next


async def feed(database: Database, q: str, limit: int) -> list[int]:
    wanted, ids, after = OutboundFilter(words=fold_words(q)), [], 0
    while True:
        page = await database.read(lists.feed_outbound, wanted, after=after, limit=limit)
        ids += [each.id for each in page.texts]
        if page.next == after:
            return ids
        after = page.next


def set_position(conn: Connection, position: int) -> None:
    conn.execute(update(index_progress).values(position=position))


@pytest.fixture
async def filled(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Texts of an older release, texts that are indexed, and texts that are not yet."""
    monkeypatch.setattr(text_search, "INDEXED", 20)
    monkeypatch.setattr(id_walks, "WALK_ROWS", 40)
    monkeypatch.setattr(id_walks, "RECENT_ROWS", 15)
    rng = random.Random(3)

    async def add(count: int, day: int) -> list[int]:
        bodies = [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(count)]
        return await queue(database, *bodies, now=NOW + timedelta(days=day))

    *_, last = await add(70, 0)

    def age(conn: Connection) -> None:
        set_position(conn, last)
        conn.execute(insert(refills).values(name="outbound-words", position=last))

    await database.write(age)
    await add(70, 1)
    await index_all(database)
    await add(70, 2)
    await queue(database, "hello no", to=GRACE, now=NOW + timedelta(days=2))
    return database


def read_plainly(conn: Connection, words: Sequence[str]) -> list[int]:
    query = select(outbound.c.id, outbound.c.body).order_by(outbound.c.id.desc())
    return [row.id for row in conn.execute(query) if has_words(row.body, words)]


@pytest.mark.parametrize("state", ["partly indexed", "all indexed"])
async def test_every_search_finds_what_a_plain_look_finds(filled: Database, state: str) -> None:
    if state == "all indexed":
        await index_all(filled)
        while await filled.write(text_search.refill_index):
            pass
        assert not await filled.read(text_search.has_unindexed)
        assert not await filled.read(lambda conn: conn.execute(select(refills)).all())
    for q in QUERIES:
        plain = await filled.read(read_plainly, fold_words(q))
        assert await find(filled, q, 25) == plain, q
    assert await find(filled, "hel", 7) == await filled.read(read_plainly, ["hel"])
    assert await feed(filled, "hel", 30) == (await filled.read(read_plainly, ["hel"]))[::-1]


async def test_words_go_with_other_conditions(filled: Database) -> None:
    everything = await find(filled, "hello")
    day = NOW + timedelta(days=1)
    ofday = await find(filled, "hello", since=day, until=day + timedelta(days=1))
    before, after = await find(filled, "hello", until=day), await find(filled, "hello", since=day)
    assert ofday
    assert before + after != []
    assert after + before == everything
    assert set(ofday) == set(after) & set(
        await find(filled, "hello", until=NOW + timedelta(days=2))
    )
    assert len(await find(filled, "hello", to=GRACE)) == 1
    assert await find(filled, "hello", statuses=("sent",)) == []
    assert await find(filled, "hello", statuses=("queued", "sent")) == everything
    assert await find(filled, "hello", dest="447700900100") == []


async def test_a_text_is_found_by_the_index_alone_once_it_is_indexed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_walks, "RECENT_ROWS", 1)
    monkeypatch.setattr(
        id_walks, "INDEX_PATIENCE_MILLISECONDS", {"postgresql": 60_000, "sqlite": 60_000}
    )
    old, _ = await queue(database, "the harbour", "the newest")
    await index_all(database)
    assert await find(database, "HARBOUR") == [old]
    table = "outbound_search"
    sql = (
        f"DELETE FROM {table}"
        if database.dialect == "postgresql"
        else (f"INSERT INTO {table} ({table}) VALUES ('delete-all')")
    )
    await database.write(lambda conn: conn.execute(text(sql)))
    assert await find(database, "HARBOUR") == []


async def test_a_text_that_changes_is_found_by_its_new_words_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_walks, "RECENT_ROWS", 1)
    monkeypatch.setattr(
        id_walks, "INDEX_PATIENCE_MILLISECONDS", {"postgresql": 60_000, "sqlite": 60_000}
    )
    changed, gone, _ = await queue(database, "the harbour", "the harbour too", "the newest")
    await index_all(database)
    waiting, _ = await queue(database, "not indexed", "yet")

    def change(conn: Connection, outbound_id: int, old: str, new: str | None) -> None:
        mine = outbound.c.id == outbound_id
        if new is None:
            conn.execute(outbound.delete().where(mine))
        else:
            conn.execute(update(outbound).where(mine).values(body=new))
        text_search.replace_text(conn, outbound_id, old, new)

    await database.write(change, changed, "the harbour", "the station")
    await database.write(change, gone, "the harbour too", None)
    await database.write(change, waiting, "not indexed", "indexed later")
    await index_all(database)
    assert await find(database, "harbour") == []
    assert await find(database, "station") == [changed]
    assert await find(database, "later") == [waiting]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_indexing_waits_for_nobody_and_loses_no_text(database: Database) -> None:
    """On PostgreSQL ids may commit out of order: one that is taken may appear later."""
    [first] = await queue(database, "first harbour")

    async def index_meanwhile() -> bool:
        return await database.write(text_search.index_texts)

    def hold(conn: Connection) -> int:
        request = OutboundRequest(source="447700900100", body="held harbour")
        [held] = queue_texts(conn, request, [Addressee(ADA)], "key:x", NOW)
        assert await_only(queue(database, "later harbour"))
        assert await_only(index_meanwhile()) is False
        return held

    held = await database.write(hold)
    await index_all(database)
    assert sorted(await find(database, "harbour")) == [first, held, held + 1]
    assert not await database.read(text_search.has_unindexed)
