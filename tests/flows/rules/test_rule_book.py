"""What a process keeps of rules and numbers from batch to batch, while others change them."""

import asyncio
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.errors import InvalidInput
from app.domain.rules.patterns import Unprepared, find_all
from app.domain.rules.rule_preview import try_draft
from app.domain.rules.rules import Rule
from app.flows.access import configure
from app.flows.inbound.handle import Prepared, handle_batch, handle_waiting
from app.flows.inbound.replay import replay_message
from app.flows.rules import edit_rules
from app.flows.rules.answer import RuleBook
from app.flows.rules.try_rules import try_rule
from app.storage.db.database import Database
from app.storage.inbound.handling import list_waiting
from tests.conftest import NOW
from tests.flows.desk import SHOP, UNHURRIED, Desk
from tests.support.messages import make_stored

WHO = "cli:test"
RAW = b'["GET", "", null]\nsource=447700900001&dest=447700900100&id=1&msg=Hello'
BY: dict[str, Any] = {"region": "GB", "who": WHO, "now": NOW}


async def test_each_change_is_seen_with_the_next_batch(database: Database) -> None:
    desk, book = Desk(database), RuleBook()

    async def create(name: str, reply: str) -> Rule:
        draft = Rule(name=name, timezone="UTC", reply=reply)
        return await edit_rules.create_rule(database, draft, position=None, **BY)

    async def hear() -> str | None:
        """What is answered to somebody new."""
        source = f"4477009000{desk.count:02}"
        await desk.receive("Hello", source=source, merge_fields={"1": "Bath"})
        await database.write(handle_batch, NOW, book=book)
        bodies = {row.to_number: row.body for row in await desk.list_outbound()}
        return bodies.get(source)

    assert await hear() is None
    first = await create("first", "One")
    assert await hear() == "One"
    await edit_rules.change_rule(database, first.id, {"reply": "Two"}, **BY)
    assert await hear() == "Two"
    second = await create("second", "Three")
    assert await hear() == "Two"
    await edit_rules.move_rule(database, second.id, "up", who=WHO, now=NOW)
    assert await hear() == "Three"
    await edit_rules.remove_rule(database, second.id, who=WHO, now=NOW)
    assert await hear() == "Two"
    await desk.add_number(merge_field_names={"1": "town"})
    file = "- {name: first, dest: '447700900100', reply: 'Four {town}'}\n"
    await edit_rules.import_rules(database, file, timezone="UTC", **BY)
    assert await hear() == "Four Bath"
    await configure.change_number(
        database, SHOP, {"opt_out_reply": "You are out."}, who=WHO, now=NOW
    )
    await hear()
    assert book.numbers[SHOP].opt_out_reply == "You are out."
    await configure.remove_number(database, SHOP, who=WHO, now=NOW)
    await hear()
    assert SHOP not in book.numbers


async def test_rules_are_read_once_where_nothing_changes(database: Database) -> None:
    desk, book = Desk(database), RuleBook()
    await desk.add_rule()
    kept = []
    for _ in range(3):
        await desk.receive("Hello")
        await desk.database.write(handle_batch, NOW, book=book)
        kept.append(book.rules)
    assert kept[0] is kept[1] is kept[2]


async def test_patterns_are_looked_up_before_the_transaction(database: Database) -> None:
    desk, book = Desk(database), RuleBook()
    limits = replace(UNHURRIED, per_hour=100)
    given: dict[str, Any] = {"limit": 100, "limits": limits, "book": book}
    await desk.add_rule("Found", name="pattern", pattern="^order")
    await desk.add_rule("Any", name="any", position=1)
    ids = await desk.receive("order 12", "my order", "ORDER")
    unprepared = Prepared(None, find_all((), ()))
    with pytest.raises(Unprepared):
        await database.write(handle_batch, NOW, book=book, prepared=unprepared)
    assert [each.handled_at for each in await desk.read(ids)] == [None] * 3
    # A new process has no rules yet; one whose rules have changed has others.
    for process in (RuleBook(), book):
        handled = await handle_waiting(database, NOW, **{**given, "book": process})
        assert (handled.messages, handled.queued) == (3, 3)
        bodies = [row.body for row in await desk.list_outbound()]
        assert sorted(bodies[-3:]) == ["Any", "Found", "Found"]
        ids = await desk.receive("order 12", "my order", "order")
        await desk.add_rule("Never", name="new", pattern="never", position=-1)
    assert await handle_waiting(database, NOW, **given)
    assert not await handle_waiting(database, NOW, **given)


async def test_workers_with_patterns_share_the_queue(database: Database) -> None:
    desk = Desk(database)
    await desk.add_rule(pattern="text")
    senders = [f"447700900{number:03}" for number in range(60)]
    for sender in senders:
        await desk.receive("a text", source=sender)

    async def work() -> None:
        book = RuleBook()
        while await database.read(list_waiting, limit=1):
            await handle_waiting(database, NOW, limit=5, limits=UNHURRIED, book=book)

    await asyncio.gather(*(work() for _ in range(3)))
    assert sorted(row.to_number for row in await desk.list_outbound()) == senders


async def test_a_replay_looks_patterns_up_before_its_transaction(database: Database) -> None:
    desk = Desk(database)
    [message_id] = await desk.receive("Hello", raw=RAW)
    await desk.handle()
    await desk.add_rule("Found", pattern="^hel")
    replayed = await replay_message(
        database,
        message_id,
        zone=ZoneInfo("Europe/London"),
        region="GB",
        limits=UNHURRIED,
        who=WHO,
        now=NOW,
    )
    assert replayed.queued
    assert replayed.message.outcome_code == "replied"


SLOW = "(?:a?){500}b"


async def test_a_slow_pattern_is_refused_at_every_door(database: Database) -> None:
    desk = Desk(database)
    rule = await desk.add_rule(pattern="quick")
    draft = Rule(name="slow", timezone="UTC", reply="Hi", pattern=SLOW)
    file = f"- {{name: fine, reply: Hi}}\n- {{name: slow, reply: Hi, pattern: '{SLOW}'}}\n"
    limits: dict[str, Any] = {"limits": UNHURRIED, "region": "GB"}
    for attempt in (
        edit_rules.create_rule(database, draft, position=None, **BY),
        edit_rules.change_rule(database, rule.id, {"pattern": SLOW}, **BY),
        edit_rules.import_rules(database, file, timezone="UTC", **BY),
        edit_rules.plan_import(database, file, timezone="UTC", region="GB"),
        try_rule(database, draft, position=None, **limits),
    ):
        with pytest.raises(InvalidInput, match="takes too long"):
            await attempt


async def test_a_slow_rule_of_old_can_still_be_switched_off(database: Database) -> None:
    desk = Desk(database)
    rule = await desk.add_rule(pattern=SLOW)
    changed = await edit_rules.change_rule(database, rule.id, {"enabled": False}, **BY)
    assert not changed.enabled


async def test_a_trial_ends_after_a_while_with_the_texts_that_it_had() -> None:
    texts = [make_stored(id=number) for number in range(100)]
    draft = Rule(name="a", timezone="UTC", reply="Hi")
    ticks = iter(range(1000))
    trial = try_draft(draft, [], {}, texts, {}, is_over=lambda: next(ticks) >= 10)
    assert (trial.tried, trial.matched) == (10, 10)
    slow = Rule(name="a", timezone="UTC", reply="Hi", pattern="x")
    ticks = iter(range(1000))
    assert try_draft(slow, [], {}, texts, {}, is_over=lambda: next(ticks) >= 10).tried < 10
