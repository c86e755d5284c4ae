"""Lists and feeds against the plainest way to find the same."""

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.util import await_only

from app.domain.inbound.messages import InboundMessage
from app.domain.inbound.queries import MessageFilter, fold_words
from app.flows.inbound.handle import handle_batch
from app.storage.db import id_walks
from app.storage.db.database import Connection, Database
from app.storage.inbound import search
from app.storage.inbound.inbound import make_inserter
from tests.conftest import NOW
from tests.support.messages import make_message

WORDS = (
    "Hello",
    "hell",
    "ANNA",
    "b\u00fccher",
    "Stra\u00dfe",
    "50%",
    "a_b",
    "\\x",
    "it's",
    '"q"',
    "no",
)


def make_random(rng: random.Random, number: int) -> InboundMessage:
    return make_message(
        number,
        source=rng.choice(["447700900001", "447700900002", "Shop"]),
        dest=rng.choice(["447700900100", "447700900200"]),
        body=" ".join(rng.choices(WORDS, k=rng.randint(0, 4))),
        received_at=NOW + timedelta(minutes=rng.randint(-5000, 5000)),
        via=rng.choice(["forward", "spool"]),
        problems=rng.choice([(), ("time",), ("charset", "time")]),
        merge_fields=rng.choice([{}, {"name": "Anna"}]),
    )


def make_random_filter(rng: random.Random) -> MessageFilter:
    def maybe(*values: object) -> object:
        return rng.choice([None, None, None, *values])

    q = rng.choice(
        ["", "", "", "hel", "LLO an", "STRASSE", "%", "_", "\\x", '"q', "zzz", "nn", "e"]
    )
    return MessageFilter(
        source=maybe("447700900001", "Shop", "nobody"),  # type: ignore[arg-type]
        dest=maybe("447700900100"),  # type: ignore[arg-type]
        since=maybe(NOW, NOW - timedelta(days=9)),  # type: ignore[arg-type]
        until=maybe(NOW, NOW + timedelta(days=2)),  # type: ignore[arg-type]
        words=fold_words(q),
        problem=maybe("time", "no-id"),  # type: ignore[arg-type]
        via=maybe("spool", "forward"),  # type: ignore[arg-type]
        unread=maybe(True, False),  # type: ignore[arg-type]
        merge_fields=rng.choice([{}, {}, {"name": "Anna"}]),
    )


def read_all(conn: Connection) -> dict[int, search.Message]:
    return search.get_messages(conn, range(1, 300))


def list_plainly(every: Mapping[int, search.Message], wanted: MessageFilter) -> list[int]:
    matches = wanted.make_test()
    return [each for each in sorted(every, reverse=True) if matches(every[each])]


def list_by_pages(conn: Connection, wanted: MessageFilter, limit: int) -> list[int]:
    ids: list[int] = []
    before = None
    while True:
        page = search.list_messages(conn, wanted, before=before, limit=limit)
        ids += [message.id for message in page.messages]
        if page.next is None:
            return ids
        assert before is None or page.next < before
        before = page.next


def feed_by_pages(conn: Connection, wanted: MessageFilter, limit: int) -> list[int]:
    ids: list[int] = []
    after = 0
    while True:
        page = search.feed_messages(conn, wanted, after=after, limit=limit)
        ids += [message.id for message in page.messages]
        if page.next == after or page.next is None:
            return ids
        after = page.next


@pytest.fixture
async def filled(database: Database) -> Database:
    """Some messages handled, some in the midst, some not yet."""
    rng = random.Random(7)
    inserter = make_inserter(database)
    await inserter.insert([make_random(rng, number) for number in range(1, 261)], NOW)
    inserter.abandon()
    for _ in range(2):
        await database.write(handle_batch, NOW, limit=90)
    return database


@pytest.mark.slow
async def test_every_filter_finds_what_a_plain_look_finds(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So small that a page seldom ends within one request's work.
    monkeypatch.setattr(id_walks, "WALK_ROWS", 40)
    monkeypatch.setattr(id_walks, "RECENT_ROWS", 15)
    rng = random.Random(11)
    every = await filled.read(read_all)
    for _ in range(50):
        wanted = make_random_filter(rng)
        plain = list_plainly(every, wanted)
        limit = rng.choice([1, 7, 50])
        assert await filled.read(list_by_pages, wanted, limit) == plain, wanted
        assert await filled.read(feed_by_pages, wanted, limit) == plain[::-1], wanted


async def test_a_search_that_takes_too_long_goes_on_one_by_one(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_walks, "RECENT_ROWS", 5)
    monkeypatch.setattr(id_walks, "INDEX_PATIENCE_MILLISECONDS", {"postgresql": 1, "sqlite": 1})
    if filled.dialect == "postgresql":

        def slow(conn: Connection, *_: object) -> object:
            conn.exec_driver_sql("SELECT pg_sleep(0.2)")
            raise AssertionError("the statement should have been cancelled")

        monkeypatch.setattr(id_walks, "_make_text_driver", lambda conn, *_: lambda *a: slow(conn))
    wanted = MessageFilter(words=("hello",))
    plain = list_plainly(await filled.read(read_all), wanted)
    assert await filled.read(list_by_pages, wanted, 50) == plain


async def test_a_feed_that_begins_at_a_time_sees_what_is_handled_while_it_looks(
    database: Database,
) -> None:
    inserter = make_inserter(database)
    old = [make_message(number, received_at=NOW) for number in range(1, 3)]
    await inserter.insert(old, NOW)
    await database.write(handle_batch, NOW)
    await inserter.insert([make_message(3, received_at=NOW + timedelta(hours=2))], NOW)
    inserter.abandon()
    loop = asyncio.get_running_loop()

    def feed(conn: Connection) -> list[str | None]:
        @event.listens_for(conn, "after_cursor_execute", once=True)
        def handle(*_: object) -> None:
            handling = database.write(handle_batch, NOW)
            if database.dialect == "postgresql":
                await_only(handling)
            else:
                asyncio.run_coroutine_threadsafe(handling, loop).result(10)

        wanted = MessageFilter(since=NOW + timedelta(hours=1))
        page = search.feed_messages(conn, wanted, after=0, limit=10)
        return [message.provider_id for message in page.messages]

    assert await database.read(feed) == ["3"]


async def test_a_feed_that_begins_at_a_time_sees_what_is_not_handled_yet(
    database: Database,
) -> None:
    """The spans of time tell of handled messages alone, so they bound nothing else."""
    inserter = make_inserter(database)
    await inserter.insert([make_message(1, received_at=NOW + timedelta(hours=2))], NOW)
    inserter.abandon()
    wanted = MessageFilter(since=NOW + timedelta(hours=1))
    page = await database.read(search.feed_messages, wanted, after=0, limit=10)
    assert [message.provider_id for message in page.messages] == ["1"]
    await database.write(handle_batch, NOW)
    page = await database.read(search.feed_messages, wanted, after=0, limit=10)
    assert [message.provider_id for message in page.messages] == ["1"]
