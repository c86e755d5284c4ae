"""Replays: read anew from the raw bytes, asked anew by the rules, never answered twice."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from app.domain.errors import Conflict, NotFound
from app.domain.inbound.messages import make_pair_key
from app.domain.inbound.queries import MessageFilter
from app.domain.outbound.requests import OutboundRequest
from app.domain.rules.answering import DEFAULT_LIMITS
from app.flows.inbound.replay import Replay, replay_message
from app.provider.forwards.forwarding import parse, read_request
from app.storage.access.audit import list_audit
from app.storage.conversations.conversation_lists import list_conversations
from app.storage.db.database import Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.read_marks import mark_read
from app.storage.inbound.search import list_messages
from app.storage.outbound.outbox import Addressee, queue_texts
from app.storage.rules.opt_outs import is_opted_out, remove_opt_out
from tests.conftest import NOW
from tests.flows.desk import SENDER, SHOP, Desk
from tests.support.storage.statements import watching_values

LONDON = ZoneInfo("Europe/London")
QUERY = f"source={SENDER}&dest={SHOP}&msg=%s&id=7&receivedts=2026-06-01+13:00:00&MMName=Anna"


class Past(Desk):
    """Texts as they are forwarded, and their replays."""

    async def forward(self, said: str = "Hello", *, handled: bool = True, **changes: Any) -> int:
        """A text, stored with `changes` to what its raw bytes say; returns its id."""
        request = read_request("GET", (QUERY % said).encode(), b"", b"")
        message = parse(request.raw, zone=LONDON, region="GB", arrived_at=self.now, nonce=b"")
        for name, value in changes.items():
            setattr(message, name, value)
        inserter = make_inserter(self.database)
        await inserter.insert([message], self.now)
        inserter.abandon()
        if handled:
            await self.handle()
        [found] = await self.fetch("SELECT max(id) FROM messages")
        return int(found[0])

    async def replay(self, message_id: int, zone: ZoneInfo = LONDON) -> Replay:
        return await replay_message(
            self.database,
            message_id,
            zone=zone,
            region="GB",
            limits=DEFAULT_LIMITS,
            who="cli:test",
            now=self.now,
        )

    async def fetch(self, sql: str) -> Sequence[Any]:
        return await self.database.read(lambda conn: conn.execute(text(sql)).all())


@pytest.fixture
def past(database: Database) -> Past:
    return Past(database)


async def test_a_message_that_was_stored_plainly_becomes_what_it_is(past: Past) -> None:
    await past.add_rule()
    plain: dict[str, Any] = {
        "source": "",
        "dest": "",
        "body": "",
        "provider_id": None,
        "merge_fields": {},
    }
    message_id = await past.forward(**plain, received_raw=None, problems=("control",))
    assert [each.outcome_code for each in await past.read([message_id])] == ["unanswerable"]
    replayed = (await past.replay(message_id)).message
    assert (replayed.source, replayed.dest, replayed.body) == (SENDER, SHOP, "Hello")
    assert (replayed.provider_id, replayed.problems) == ("7", "")
    assert replayed.merge_fields == {"name": "Anna"}
    assert replayed.outcome_code == "replied"
    assert await past.list_bodies() == ["Hello Anna"]
    page = await past.database.read(list_conversations, before=None, limit=5)
    [shown] = page.conversations
    assert (shown.source, shown.unread, shown.last_message) == (SENDER, 1, replayed)
    for wanted in (
        MessageFilter(source=SENDER, dest=SHOP),
        MessageFilter(source=SENDER),
        MessageFilter(dest=SHOP),
        MessageFilter(provider_id="7"),
        MessageFilter(words=("hello",)),
        MessageFilter(unread=True),
    ):
        found = await past.database.read(list_messages, wanted, before=None, limit=5)
        assert [each.id for each in found.messages] == [message_id]
    odd = MessageFilter(problem="control")
    assert not (await past.database.read(list_messages, odd, before=None, limit=5)).messages


async def test_another_message_of_the_pair_it_leaves_becomes_the_newest(past: Past) -> None:
    await past.forward("First", source="447700900002", dedupe_key=b"y" * 16)
    older = await past.forward(source="447700900002")
    moving = await past.forward("Other", source="447700900002", dedupe_key=b"x" * 16)
    replayed = (await past.replay(moving)).message
    page = await past.database.read(list_conversations, before=None, limit=5)
    by_source = {each.source: each for each in page.conversations}
    assert by_source[SENDER].last_message == replayed
    left = by_source["447700900002"]
    assert left.last_message is not None
    assert (left.last_message.id, left.unread) == (older, 2)


@pytest.mark.parametrize("read", [0, 1])
async def test_a_message_that_leaves_its_pair_takes_what_is_unread_with_it(
    past: Past, read: int
) -> None:
    pair: dict[str, Any] = {"source": "447700900002"}
    both = [await past.forward("x", **pair, dedupe_key=key * 16) for key in (b"a", b"b")]
    await past.database.write(mark_read, both[read], past.now)
    await past.replay(both[1])
    found = await past.fetch("SELECT * FROM conversations ORDER BY source DESC")
    assert [row.unread for row in found] == ([0, 1] if read == 0 else [1, 0])
    assert None not in [row.last_arrived_at for row in found]


async def test_a_pair_that_we_wrote_to_stays_without_its_messages(past: Past) -> None:
    moving = await past.forward(source="447700900002")
    [talk] = await past.fetch("SELECT id FROM conversations")

    def write(conn: Connection) -> None:
        request = OutboundRequest(source=SHOP, body="Hello")
        queue_texts(conn, request, [Addressee("447700900002", talk.id)], "Anna", past.now)

    await past.database.write(write)
    await past.replay(moving)
    columns = "last_message_id, last_arrived_at, unread, awaits_answer"
    [left] = await past.fetch(f"SELECT {columns} FROM conversations WHERE id = {talk.id}")
    assert tuple(left) == (None, None, 0, False)


async def test_of_those_that_are_left_the_one_that_arrived_last_is_the_newest(past: Past) -> None:
    pair: dict[str, Any] = {"source": "447700900002"}
    newest = await past.forward("kept", **pair, dedupe_key=b"a" * 16)
    an_hour_ago = past.now - timedelta(hours=1)
    await past.forward("was spooled", **pair, dedupe_key=b"b" * 16, arrived_at=an_hour_ago)
    moving = await past.forward("Other", **pair, dedupe_key=b"c" * 16)
    await past.replay(moving)
    page = await past.database.read(list_conversations, before=None, limit=5)
    [left] = [each for each in page.conversations if each.source == pair["source"]]
    assert left.last_message is not None
    assert left.last_message.id == newest


async def test_a_words_index_forgets_what_the_message_said(past: Past) -> None:
    message_id = await past.forward(body="misread words")
    await past.replay(message_id)
    for word, count in (("misread", 0), ("hello", 1)):
        wanted = MessageFilter(words=(word,))
        found = await past.database.read(list_messages, wanted, before=None, limit=5)
        assert len(found.messages) == count


async def test_what_was_answered_is_never_answered_again(past: Past) -> None:
    rule = await past.add_rule()
    message_id = await past.forward()
    for _ in range(2):
        replayed = await past.replay(message_id)
        assert not replayed.queued
        assert replayed.message.outcome is not None
        assert (replayed.message.outcome.code, replayed.message.rule_id) == ("replied", rule.id)
    assert len(await past.list_outbound()) == 1


async def test_a_reply_by_hand_is_a_reply(past: Past) -> None:
    message_id = await past.forward()
    await past.write_to(SENDER, in_reply_to=message_id)
    await past.add_rule()
    assert (await past.replay(message_id)).message.outcome_code == "no-rule"
    assert len(await past.list_outbound()) == 1


async def test_rules_and_guards_are_asked_as_they_are_now(past: Past) -> None:
    message_id = await past.forward()
    assert (await past.replay(message_id)).message.outcome_code == "no-rule"
    await past.add_rule()
    past.wait(minutes=14)
    replayed = await past.replay(message_id)
    assert (replayed.message.outcome_code, replayed.queued) == ("replied", True)
    late = await past.forward("late", handled=False, arrived_at=NOW, provider_id="9")
    past.wait(minutes=2)
    await past.handle()
    assert (await past.replay(late)).message.outcome_code == "too-old"


async def test_of_many_replays_at_once_one_answers(past: Past) -> None:
    message_id = await past.forward()
    await past.add_rule()
    done = await asyncio.gather(*(past.replay(message_id) for _ in range(4)))
    assert sum(each.queued for each in done) == 1
    assert len(await past.list_outbound()) == 1


async def test_the_time_is_read_in_the_zone_that_is_set_now(past: Past) -> None:
    message_id = await past.forward()
    await past.replay(message_id, ZoneInfo("Europe/Berlin"))
    [message] = await past.read([message_id])
    assert message.received_at == NOW - timedelta(hours=1)
    assert message.arrived_at == NOW


async def test_an_old_refusal_undoes_nothing_that_came_later(past: Past) -> None:
    message_id = await past.forward("STOP")
    past.wait(minutes=1)
    await past.database.write(remove_opt_out, SENDER, now=past.now)
    assert (await past.replay(message_id)).message.outcome_code == "opt-out"
    assert not await past.database.read(is_opted_out, SENDER)


async def test_what_others_told_of_a_message_stays(past: Past) -> None:
    await past.forward()
    again = await past.forward("Other")
    await past.add_number("447700900199")
    replayed = (await past.replay(again)).message
    assert replayed.problems == "unknown-number id-reused"


async def test_a_replay_is_told_and_kept(past: Past) -> None:
    message_id = await past.forward(body="misread")
    before = len(await past.list_events())
    await past.replay(message_id)
    assert (await past.list_events())[before:] == [("replay", message_id)]
    [entry] = await past.database.read(list_audit, before=None, limit=5)
    assert (entry.actor, entry.action, entry.subject) == (
        "cli:test",
        "message.replay",
        str(message_id),
    )
    assert entry.detail == {"changed": ["body"], "outcome": "no-rule", "queued": 0}


async def test_what_waits_or_is_unknown_is_not_replayed(past: Past) -> None:
    with pytest.raises(NotFound):
        await past.replay(99)
    waiting = await past.forward(handled=False)
    with pytest.raises(Conflict):
        await past.replay(waiting)


async def test_one_that_repeats_the_report_is_not_answered(past: Past) -> None:
    message_id = await past.forward()

    def note(conn: Connection) -> None:
        conn.execute(
            text(f"UPDATE messages SET duplicate_of = 99, outcome = NULL WHERE id = {message_id}")
        )

    await past.database.write(note)
    await past.add_rule()
    assert (await past.replay(message_id)).message.outcome_code is None
    assert await past.list_outbound() == []


@pytest.mark.parametrize("old_source", [f"44770090000{digit}" for digit in range(2, 8)])
async def test_two_pairs_are_locked_in_the_order_of_their_keys(past: Past, old_source: str) -> None:
    """Two replays that move messages the opposite ways would else wait for each other for ever."""
    message_id = await past.forward(source=old_source)
    keys = [make_pair_key(SHOP, old_source), make_pair_key(SHOP, SENDER)]
    with watching_values(past.database.dialect) as seen:
        await past.replay(message_id)
    places = {key: " ".join(seen).index(key.hex()) for key in keys}
    assert sorted(keys, key=places.__getitem__) == sorted(keys)
