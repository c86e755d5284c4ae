"""What older releases stored is brought up to date: numbers, opt-outs, the index of words."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, select, text, update

from app.domain.inbound.messages import RawForward, make_number_key
from app.domain.inbound.queries import MessageFilter, fold_words
from app.domain.rules.opt_outs import OptOutState
from app.flows.inbound.replay import replay_message
from app.flows.operations.refill import refill
from app.provider.forwards.forwarding import parse, read_request
from app.storage.conversations.conversation_lists import list_conversations
from app.storage.db import id_walks
from app.storage.db.database import Connection, Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.rewriting import refills as storage
from app.storage.inbound.search import list_messages
from app.storage.inbound.text_search import fold_before
from app.storage.rules.opt_outs import OptOutChange, add_opt_out_changes, list_opt_outs
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.operations import refills
from tests.conftest import NOW
from tests.flows.desk import SHOP, UNHURRIED, Desk

LONDON = ZoneInfo("Europe/London")
MEANT = "447700900123"
BY: dict[str, Any] = {"zone": LONDON, "region": "GB", "limits": UNHURRIED}


@pytest.fixture
async def old(database: Database) -> Desk:
    return Desk(database, now=NOW - timedelta(days=1))


async def forward(desk: Desk, number: int, said: str, source: str) -> int:
    """A text as an older release stored it: its sender as it came."""
    query = f"source=07700900123&dest={SHOP}&id={number}&msg={said}".replace(" ", "+")
    raw = read_request("GET", query.encode(), b"", b"").raw
    read = parse(raw, zone=LONDON, region="GB", arrived_at=desk.now, nonce=b"")
    [message_id] = await desk.receive(
        said, source=source, raw=raw.to_bytes(), provider_id=str(number), dedupe_key=b"%d" % number
    )
    assert RawForward.from_bytes(read.raw).form == raw.form
    return message_id


async def begin(desk: Desk) -> None:
    """Where the migration begins: all rows that there are wait."""

    def note(conn: Connection) -> None:
        for name, column in (
            ("folding", message_index.c.message_id),
            ("numbers", conversations.c.id),
        ):
            last = conn.execute(select(column).order_by(column.desc()).limit(1)).scalar()
            if last:
                conn.execute(insert(refills).values(name=name, position=last))
        conn.execute(insert(refills).values(name="opt-outs", position=2**31))

    await desk.database.write(note)


async def run(desk: Desk) -> int:
    """All steps; returns how many they were."""
    count = 0
    while await refill(desk.database, **BY, now=lambda: NOW):
        count += 1
        assert count < 100
    assert not await desk.database.read(lambda conn: conn.execute(select(refills)).all())
    return count


@pytest.mark.parametrize("source", ["07700900123", "4407700900123"])
async def test_messages_move_to_the_number_that_is_meant_and_its_stop_is_heard(
    old: Desk, source: str
) -> None:
    first = await forward(old, 1, "STOP", source)
    second = await forward(old, 2, "Hello", source)
    await old.database.write(
        lambda conn: conn.execute(update(messages).values(handled_at=None, outcome=None))
    )
    await old.handle()
    await old.database.write(lambda conn: conn.execute(text("DELETE FROM opt_outs")))
    await begin(old)
    await run(old)
    moved = await old.read([first, second])
    assert [message.source for message in moved] == [MEANT, MEANT]
    page = await old.database.read(list_conversations, before=None, limit=5)
    assert [each.source for each in page.conversations] == [MEANT]
    [out] = await old.database.read(list_opt_outs, before=None, limit=5)
    assert (out.number, out.created_at) == (MEANT, old.now)
    assert not await old.list_outbound()


async def test_a_redelivery_of_a_message_that_has_moved_is_no_second_message(old: Desk) -> None:
    message_id = await forward(old, 1, "Hello", "07700900123")
    await old.handle()
    await begin(old)
    await run(old)
    [message] = await old.read([message_id])
    again = parse(
        RawForward.from_bytes(message.raw), zone=LONDON, region="GB", arrived_at=NOW, nonce=b""
    )
    inserter = make_inserter(old.database)
    await inserter.insert([again], NOW)
    inserter.abandon()
    count = await old.database.read(lambda conn: len(conn.execute(select(messages.c.id)).all()))
    assert count == 1


async def test_a_conversation_that_cannot_move_ends_nothing(old: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(storage, "CHANGED", 2)
    raw = RawForward("GET", "", None, b"source=Shop&msg=x").to_bytes()
    await old.receive(*["stuck"] * 5, source="07700900124", raw=raw)
    for number in range(1, 6):
        await forward(old, number, f"text {number}", "07700900123")
    await old.handle()
    await begin(old)
    await run(old)
    page = await old.database.read(list_conversations, before=None, limit=5)
    assert sorted(each.source for each in page.conversations) == [MEANT, "Shop"]


async def test_an_opt_out_holds_for_the_number_that_is_meant(old: Desk) -> None:
    word = OptOutState(True, "keyword", old.now, 7)
    written = [
        OptOutChange("4407700900123", "STOP", word),
        OptOutChange("447700900124", "STOP", word),
    ]
    await old.database.write(add_opt_out_changes, written)
    waiting = await old.write_to(MEANT)
    await begin(old)
    await run(old)
    found = await old.database.read(list_opt_outs, before=None, limit=5)
    assert sorted((each.number, each.reason, each.message_id) for each in found) == [
        (MEANT, "keyword", 7),
        ("447700900124", "keyword", 7),
    ]
    [row] = await old.list_outbound()
    assert (row.id, row.status) == (waiting, "cancelled")
    assert make_number_key(MEANT)


BODIES = ["It can\u2019t be", "a cafe\u0301 in town", "\uff28\uff25\uff2c\uff2c\uff2f", "plain"]
WORDS = ["can't", "caf\u00e9", "hello", "plain"]


async def fold_as_before(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bodies whose index was written by an older release."""
    with monkeypatch.context() as patched:
        patched.setattr("app.storage.inbound.text_search.add_bodies.__defaults__", (fold_before,))
        ids = [each for body in BODIES for each in await desk.receive(body)]
        await desk.receive("the newest")
        await desk.handle()
    await begin(desk)
    return ids


def search_by_index_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No texts are read because they are new, or because a slow machine's index takes long."""
    monkeypatch.setattr(id_walks, "RECENT_ROWS", 1)
    monkeypatch.setattr(
        id_walks, "INDEX_PATIENCE_MILLISECONDS", {"postgresql": 60_000, "sqlite": 60_000}
    )


async def find(desk: Desk, word: str) -> list[int]:
    wanted = MessageFilter(words=fold_words(word))
    page = await desk.database.read(list_messages, wanted, before=None, limit=5)
    return [each.id for each in page.messages]


async def test_words_are_found_in_old_texts_once_their_index_is_folded_anew(
    old: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "CHANGED", 1)
    search_by_index_alone(monkeypatch)
    ids = await fold_as_before(old, monkeypatch)
    assert [await find(old, word) for word in WORDS[:3]] == [[], [], []]
    await run(old)
    assert [await find(old, word) for word in WORDS] == [[each] for each in ids]


async def test_a_replay_before_that_leaves_the_index_right(
    old: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_by_index_alone(monkeypatch)
    query = f"source={MEANT}&dest={SHOP}&id=1&msg=It+won%E2%80%99t".encode()
    raw = read_request("GET", query, b"", b"").raw.to_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("app.storage.inbound.text_search.add_bodies.__defaults__", (fold_before,))
        [message_id] = await old.receive("It can\u2019t", raw=raw)
        await old.receive("the newest")
        await old.handle()
    await begin(old)
    await replay_message(old.database, message_id, **BY, who="cli:test", now=NOW)
    await run(old)
    assert await find(old, "won't") == [message_id]
    assert await find(old, "can't") == []


async def test_older_messages_are_found_by_the_providers_id_while_and_after_they_are_indexed(
    old: Desk,
) -> None:
    ids = [await forward(old, number, "Hello", MEANT) for number in range(1, 4)]
    await old.handle()

    def forget(conn: Connection) -> None:
        conn.execute(update(message_index).values(provider_key=None))
        conn.execute(insert(refills).values(name="provider-ids", position=max(ids)))

    await old.database.write(forget)
    wanted = MessageFilter(provider_id="2")
    for _ in range(2):
        page = await old.database.read(list_messages, wanted, before=None, limit=5)
        assert [message.id for message in page.messages] == [ids[1]]
        while await refill(old.database, now=lambda: old.now, **BY):
            pass
    assert await old.database.read(storage.find_position, "provider-ids") is None
