"""Handling answers by rules: what is queued, what is silenced, and never twice."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from app.domain.outbound.requests import OutboundRequest
from app.domain.rules.opt_outs import OptOutState
from app.storage.conversations.conversation_lists import list_conversations
from app.storage.operations.alerts import list_alerts
from app.storage.outbound.outbox import Addressee, add_replies
from app.storage.rules.opt_outs import (
    OptOutChange,
    add_opt_out,
    add_opt_out_changes,
    find_opted_out,
    is_opted_out,
    list_opt_outs,
    remove_opt_out,
)
from tests.conftest import NOW
from tests.flows.desk import BAR, SENDER, SHOP, Desk, set_status

OTHER = "447700900002"


async def test_a_reply_is_queued_with_what_the_sender_needs(shop: Desk) -> None:
    [message_id] = await shop.receive("Hello", merge_fields={"name": "Anna"})
    [handled] = await shop.handle()
    assert (handled.messages, handled.queued, handled.outcomes) == (1, 1, {"replied": 1})
    [row] = await shop.list_outbound()
    assert (row.source, row.to_number, row.body) == (SHOP, SENDER, "Hello Anna")
    assert (row.origin, row.status, row.in_reply_to) == ("rule", "queued", message_id)
    assert row.forced is False
    assert row.send_before == NOW + timedelta(seconds=900)
    assert row.due_at == NOW
    [message] = await shop.read([message_id])
    assert message.outcome is not None
    assert (message.outcome.code, message.outcome.rule_id) == ("replied", row.rule_id)
    page = await shop.database.read(list_conversations, before=None, limit=5)
    assert [each.id for each in page.conversations] == [row.conversation_id]
    assert await shop.list_events() == [("message", message_id), ("outbound", row.id)]


async def test_a_message_that_has_its_reply_gets_no_second_and_the_others_get_theirs(
    shop: Desk,
) -> None:
    first, second = await shop.receive("one", "two")

    def answer(conn: Connection, *messages: int) -> list[int | None]:
        texts = [
            (OutboundRequest(SHOP, "Hi", origin="rule", in_reply_to=each), Addressee(SENDER))
            for each in messages
        ]
        return [*add_replies(conn, texts, NOW)]

    assert await shop.database.write(answer, first) == [first]
    assert await shop.database.write(answer, first, second) == [second]
    assert [row.in_reply_to for row in await shop.list_outbound()] == [first, second]


async def test_messages_come_before_outbound_in_the_events(shop: Desk) -> None:
    await shop.receive("one", "two", "three")
    await shop.handle()
    assert [kind for kind, _ in await shop.list_events()] == ["message"] * 3 + ["outbound"] * 3


async def test_each_message_keeps_its_outcome(shop: Desk) -> None:
    await shop.add_rule("Later", name="slow", keyword="slow", position=-1, cooldown_seconds=3600)
    assert await shop.hear("a", "slow", "slow") == ["replied", "replied", "cooldown"]
    assert await shop.hear("b", "c", "d", "e") == ["replied", "replied", "replied", "budget"]
    assert await shop.hear("old", source=OTHER, arrived_at=NOW - timedelta(hours=1)) == ["too-old"]
    assert await shop.hear("x", source="Bank") == ["unanswerable"]
    assert await shop.hear("x", source=SHOP, dest=BAR) == ["unanswerable"]
    assert await shop.hear("STOP", "hello", "START", source=OTHER) == [
        "opt-out",
        "opted-out",
        "opt-in",
    ]
    assert await shop.list_bodies() == ["Hello Anna", "Later", *["Hello Anna"] * 3, "You are out."]


async def test_what_was_decided_before_counts_in_the_next_batch(shop: Desk) -> None:
    await shop.receive(*"abcdefg")
    done = await shop.handle(limit=2)
    assert [step.queued for step in done] == [2, 2, 1, 0]
    shop.wait(hours=1)
    assert await shop.hear("h") == ["replied"]


async def test_a_long_cooldown_outlives_the_day(desk: Desk) -> None:
    await desk.add_rule(cooldown_seconds=7 * 86400)
    assert await desk.hear("a") == ["replied"]
    desk.wait(days=6, hours=23)
    assert await desk.hear("b") == ["cooldown"]
    desk.wait(hours=1)
    assert await desk.hear("c") == ["replied"]


async def test_a_text_of_the_report_is_as_old_as_the_provider_says(shop: Desk) -> None:
    late = NOW - timedelta(minutes=20)
    assert await shop.hear("a", via="report", received_at=late) == ["too-old"]
    assert await shop.hear("b", received_at=late) == ["replied"]


async def test_an_id_that_came_again_with_another_text_gets_no_answer(shop: Desk) -> None:
    assert await shop.hear("one", provider_id="7") == ["replied"]
    assert await shop.hear("two", provider_id="7") == [None]


async def test_a_reply_that_is_too_long_is_neither_cut_nor_sent(desk: Desk) -> None:
    rule = await desk.add_rule("You wrote: {body}")
    assert await desk.hear("x" * 449, "ok") == ["replied", "replied"]
    failed, queued = await desk.list_outbound()
    assert (failed.status, len(failed.body), failed.settled_at) == ("failed", 460, NOW)
    assert "460 characters" in failed.error_text
    assert queued.status == "queued"
    assert await desk.list_changes() == [(failed.id, "failed", "rule")]
    [alert] = await desk.database.read(list_alerts, before=None, limit=5, is_open=True)
    assert (alert.kind, alert.subject) == ("reply-too-long", str(rule.id))
    assert "'test'" in alert.text
    assert [kind for kind, _ in await desk.list_events()] == ["message"] * 2 + ["outbound"] * 2 + [
        "alert"
    ]


async def test_an_opt_out_holds_for_all_numbers_and_cancels_what_waits(shop: Desk) -> None:
    waiting = await shop.write_to(SENDER, source=BAR)
    held = await shop.write_to(SENDER)
    gone = await shop.write_to(SENDER)
    other = await shop.write_to(OTHER)
    await shop.database.write(set_status, held, "held")
    await shop.database.write(set_status, gone, "sent")
    [hello, stop] = await shop.receive("hello", "Stop, please")
    await shop.handle()
    rows = {row.id: row.status for row in await shop.list_outbound()}
    reply, confirmation = sorted(rows.keys() - {waiting, held, gone, other})
    cancelled = [waiting, held, reply]
    assert rows == {
        **dict.fromkeys(cancelled, "cancelled"),
        gone: "sent",
        other: "queued",
        confirmation: "queued",
    }
    assert await shop.list_changes() == [(each, "cancelled", "opt-out") for each in cancelled]
    assert await shop.list_events() == [
        ("message", hello),
        ("message", stop),
        *(("outbound", each) for each in [reply, confirmation]),
        *(("status", each) for each in cancelled),
        ("opt-out", 1),
    ]
    assert await shop.database.read(is_opted_out, SENDER)
    assert not await shop.database.read(is_opted_out, OTHER)
    [opt_out] = await shop.database.read(list_opt_outs, before=None, limit=5)
    assert (opt_out.number, opt_out.reason, opt_out.text) == (SENDER, "keyword", "Stop, please")
    assert (opt_out.message_id, opt_out.created_at) == (stop, NOW)
    assert await shop.hear("hello", dest=BAR) == ["opted-out"]


async def test_a_word_belongs_to_the_rule_that_has_it_as_its_keyword(desk: Desk) -> None:
    for keyword in ("cancel", "stop", "yes"):
        await desk.add_rule(keyword.upper(), keyword=keyword, dest=SHOP)
    assert await desk.hear("Cancel please", "YES") == ["replied", "replied"]
    assert not await desk.database.read(is_opted_out, SENDER)
    assert await desk.hear("END", source=OTHER) == ["opt-out"]
    assert await desk.hear("cancel", dest=BAR) == ["opt-out"], "the rule is of another number"
    assert await desk.hear("START") == ["opt-in"]
    assert await desk.hear("Stop!") == ["opt-out"]
    assert await desk.list_bodies() == ["CANCEL", "YES"]


async def test_the_newest_word_holds_not_the_last_handled(shop: Desk) -> None:
    shop.wait(minutes=5)
    assert await shop.hear("START") == ["replied"]
    earlier = shop.now - timedelta(minutes=1)
    # It waited in a spool.
    assert await shop.hear("STOP", arrived_at=earlier, via="spool") == ["opt-out"]
    assert not await shop.database.read(is_opted_out, SENDER)
    assert await shop.list_bodies() == ["Hello Anna"]


async def test_of_words_that_arrive_at_one_moment_the_later_message_holds(shop: Desk) -> None:
    out, _ = await shop.receive("STOP", "START")
    await shop.receive("STOP", "START", "STOP", source=OTHER)
    await shop.handle(limit=1)
    assert await shop.database.read(find_opted_out, [SENDER, OTHER]) == {OTHER}
    earlier = OptOutChange(SENDER, "STOP", OptOutState(True, "keyword", NOW, out))
    await shop.database.write(add_opt_out_changes, [earlier])
    assert not await shop.database.read(is_opted_out, SENDER)


@pytest.mark.parametrize("seconds", [2, 3600])
async def test_after_the_clock_was_set_back_the_order_of_arrival_holds(
    shop: Desk, seconds: int
) -> None:
    assert await shop.hear("STOP", "START") == ["opt-out", "opt-in"]
    shop.wait(seconds=-seconds)
    assert await shop.hear("STOP") == ["opt-out"]
    assert await shop.database.read(is_opted_out, SENDER)
    shop.wait(seconds=2)
    assert await shop.hear("Hello", "START") == ["opted-out", "opt-in"]
    assert not await shop.database.read(is_opted_out, SENDER)
    assert await shop.hear("STOP") == ["opt-out"]
    assert await shop.database.read(is_opted_out, SENDER)


async def test_a_refusal_just_before_a_person_opts_the_number_in_holds(shop: Desk) -> None:
    await shop.hear("STOP")
    await shop.database.write(remove_opt_out, SENDER, now=shop.now)
    shop.wait(seconds=-2)
    assert await shop.hear("STOP") == ["opt-out"]
    assert await shop.database.read(is_opted_out, SENDER)


async def test_who_comes_back_at_once_gets_what_follows(shop: Desk) -> None:
    assert await shop.hear("one", "STOP", "START", "two") == [
        "replied",
        "opt-out",
        "opt-in",
        "replied",
    ]
    rows = await shop.list_outbound()
    assert [(row.origin, row.status) for row in rows] == [
        ("rule", "cancelled"),
        ("opt-out", "queued"),
        ("rule", "queued"),
    ]


async def test_a_persons_word_is_as_good_as_the_senders(shop: Desk) -> None:
    waiting = await shop.write_to(SENDER)
    cancelled = await shop.database.write(
        add_opt_out, SENDER, reason="person", text="called us", now=NOW
    )
    assert cancelled == [waiting]
    assert await shop.hear("hello") == ["opted-out"]
    await shop.database.write(remove_opt_out, SENDER, now=NOW)
    assert await shop.hear("hello") == ["replied"]


async def test_a_rule_that_changes_takes_effect_in_the_next_batch(desk: Desk) -> None:
    assert await desk.hear("a") == ["no-rule"]
    await desk.add_rule()
    assert await desk.hear("b") == ["replied"]
