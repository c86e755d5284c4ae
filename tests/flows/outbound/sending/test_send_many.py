"""Texts of one request to many numbers: sent together, each with an outcome of its own."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from app.domain.outbound.transitions import OutboundEvent
from app.flows.outbound.cancel import cancel_text
from app.storage.db.database import Database
from app.storage.outbound.sending.expiry import end_leases
from app.storage.outbound.sending.resolving import resolve_by_hand
from app.storage.outbound.sending.sender import pause_sender, resume_sender
from app.storage.rules.opt_outs import note_refused_numbers
from tests.flows.outbound.sending.crowd import CROWD, FEW, answer
from tests.support.outbox import ADA, GRACE, OURS, Outbox, claim_due, open_outbox, run_dry


async def test_texts_of_one_request_go_out_in_one_call(outbox: Outbox) -> None:
    ids = await outbox.queue_many(CROWD)
    assert await outbox.send() == 1
    assert await outbox.send() == 0
    assert outbox.sends() == [CROWD]
    assert set(await outbox.statuses(ids)) == {"sent"}
    given = [await outbox.ids(each) for each in ids]
    assert [len(each) for each in given] == [1] * len(CROWD)
    assert len({each for [each] in given}) == len(CROWD)
    assert sorted(outbox.taken()) == [(number, "Hello") for number in CROWD]
    attempts = await outbox.fetch("SELECT outbound_id, attempt, outcome FROM send_attempts")
    assert sorted(attempts) == [(each, 1, "certainly taken") for each in ids]
    assert await outbox.fetch("SELECT value FROM daily_counts WHERE name = 'sent'") == [(60,)]


async def test_the_call_is_a_post_that_asks_for_no_words(outbox: Outbox) -> None:
    seen: list[httpx2.Request] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return answer("1,2,3,4,5")(request)

    await outbox.queue_many(FEW)
    await outbox.send_to(reply)
    [look, request] = seen
    assert b"Action=CheckCredits" in look.content
    assert (request.method, request.url.query) == ("POST", b"")
    assert b"ShowErrorMessage" not in request.content
    assert f"DestinationAddress={'%2C'.join(FEW)}".encode() in request.content


async def test_each_part_of_a_long_text_has_its_id(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW, body="x" * 400)
    assert await outbox.send() == 1
    given = [await outbox.ids(each) for each in ids]
    assert [len(each) for each in given] == [3] * 5
    assert len({each for one in given for each in one}) == 15


async def test_only_what_one_request_asked_for_goes_together(outbox: Outbox) -> None:
    await outbox.queue_many(FEW[:3])
    await outbox.queue_many(FEW[3:])
    await outbox.queue(GRACE)
    await outbox.queue_many([ADA])
    assert await outbox.send() == 4
    assert sorted(map(sorted, outbox.sends())) == [[ADA], [GRACE], FEW[:3], FEW[3:]]


async def test_texts_of_a_batch_that_differ_are_sent_apart(outbox: Outbox) -> None:
    await outbox.queue_many(FEW)

    def change(conn: Any) -> None:
        conn.exec_driver_sql("UPDATE outbound SET body = 'Hi' WHERE id IN (2, 4)")

    await outbox.database.write(change)
    assert await outbox.send() == 2
    assert sorted(outbox.sends()) == [[FEW[0], FEW[2], FEW[4]], [FEW[1], FEW[3]]]
    assert sorted(outbox.taken())[1] == (FEW[1], "Hi")


async def test_a_call_has_no_more_numbers_than_the_setting(outbox: Outbox) -> None:
    await outbox.queue_many(CROWD)
    assert await outbox.send(batch=25) == 3
    assert sorted(map(len, outbox.sends())) == [10, 25, 25]
    outbox.pass_seconds(1)
    await outbox.queue_many(CROWD)
    assert await outbox.send(batch=1) == 60


async def test_the_pace_counts_numbers(outbox: Outbox) -> None:
    await outbox.queue_many(CROWD[:20])
    await outbox.queue(GRACE)
    sent_at = []
    for _ in range(40):
        made = await outbox.send(per_second=10)
        sent_at += [round(outbox.seconds[0], 1)] * made
        outbox.pass_seconds(0.1)
    # The single text first; then the twenty, for which those behind them wait two seconds.
    await outbox.queue(ADA)
    assert sent_at == [0.0, 0.1]
    await outbox.queue_many(CROWD[:20])
    await outbox.send(per_second=10)
    outbox.pass_seconds(0.1)
    assert await outbox.send(per_second=10) == 1
    await outbox.queue(ADA, source="447700900002")
    outbox.pass_seconds(1.9)
    assert await outbox.send(per_second=10) == 0
    outbox.pass_seconds(0.1)
    assert await outbox.send(per_second=10) == 1


async def test_no_call_begins_once_another_has_used_up_the_pace(outbox: Outbox) -> None:
    await outbox.queue_many(CROWD[:10])
    await outbox.queue_many(CROWD[10:20])
    for _ in range(2):
        claim = await outbox.database.write(claim_due, per_second=100, now=outbox.now())
        assert [len(call) for call in claim.calls] == [10]
        outbox.pass_seconds(0.2)


@pytest.mark.parametrize(
    ("per_second", "sizes"), [(10, [60]), (2, [20, 20, 20]), (0.3, [3] * 20), (0.05, [1] * 60)]
)
async def test_no_call_keeps_the_next_one_waiting_for_long(
    outbox: Outbox, per_second: float, sizes: list[int]
) -> None:
    await outbox.queue_many(CROWD)
    while len(outbox.taken()) < len(CROWD):
        await outbox.send(per_second=per_second)
        outbox.pass_seconds(max(10, 1 / per_second))
    assert list(map(len, outbox.sends())) == sizes


async def test_an_answer_overtakes_many_texts_that_wait(database: Database) -> None:
    async with open_outbox(database, magic_numbers=False) as outbox:
        for request in range(10):
            await outbox.queue_many(
                [f"447700900{each:03}" for each in range(100)], source=f"Shop {request}"
            )
        for turn in range(20):
            await outbox.send(per_second=10)
            if turn == 5:
                reply = await outbox.queue(GRACE, origin="rule", in_reply_to=1)
                person = await outbox.queue(ADA)
                asked_at = outbox.seconds[0]
            if turn > 5 and await outbox.statuses([reply, person]) == ["sent", "sent"]:
                break
            outbox.pass_seconds(1)
        assert outbox.seconds[0] - asked_at <= 11
        singles = [each for each in outbox.sends() if len(each) == 1]
        assert singles == [[GRACE], [ADA]]


async def test_single_texts_do_not_hold_up_many_for_ever(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)
    outbox.pass_seconds(3601)
    for each in CROWD[5:]:
        await outbox.queue(each)
    await outbox.send(per_second=10)
    assert set(await outbox.statuses(ids)) == {"sent"}


async def test_who_opts_out_of_many_after_the_queueing_gets_nothing(outbox: Outbox) -> None:
    ids = await outbox.queue_many(CROWD)
    out = CROWD[::2]
    await outbox.database.write(note_refused_numbers, dict.fromkeys(out, "STOP"), outbox.now())
    assert await outbox.send() == 1
    assert outbox.sends() == [CROWD[1::2]]
    assert await outbox.statuses(ids) == ["cancelled", "sent"] * 30


async def test_a_text_is_cancelled_out_of_many(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)

    def find_no_client() -> Any:
        raise AssertionError

    await cancel_text(outbox.database, find_no_client, ids[2], who="key:x", now=outbox.now())
    await outbox.send()
    assert outbox.sends() == [[*FEW[:2], *FEW[3:]]]
    assert (await outbox.statuses(ids))[2] == "cancelled"


async def test_a_pause_in_the_middle_leaves_the_rest_where_they_are(outbox: Outbox) -> None:
    ids = await outbox.queue_many(CROWD)
    sender = outbox.make_sender(batch=20, concurrency=1)
    await sender.turn()
    await outbox.database.write(pause_sender, "Anna", "holiday", outbox.now())
    await run_dry(sender)
    assert (await outbox.statuses(ids)).count("queued") == 40
    await outbox.database.write(resume_sender, "Anna", outbox.now())
    await run_dry(sender)
    assert [len(each) for each in outbox.sends()] == [20, 20, 20]


async def test_what_was_claimed_ahead_of_a_pause_is_given_back(outbox: Outbox) -> None:
    await outbox.queue_many(CROWD)
    sender = outbox.make_sender(batch=20, concurrency=1)
    await sender.turn()
    await asyncio.gather(*sender.calls)
    outbox.strike("slow", seconds=0.2)
    await sender.turn()  # one call is under way, and one is ready
    assert len(sender.ready) == 1
    await outbox.database.write(pause_sender, "Anna", "holiday", outbox.now())
    sender.policy = replace(sender.policy, concurrency=2)
    await sender.turn()
    await sender.drain()
    assert [len(each) for each in outbox.sends()] == [20, 20]
    assert len(outbox.taken()) == 40


async def test_what_waited_long_for_its_call_is_claimed_anew(outbox: Outbox) -> None:
    first, *rest = [await outbox.queue(number) for number in FEW[:3]]
    outbox.strike("slow", seconds=0.2)
    sender = outbox.make_sender()
    assert len((await sender.turn()).texts) == 3  # one goes, and the others wait for its answer
    outbox.pass_seconds(6)
    await outbox.database.write(note_refused_numbers, {FEW[1]: "STOP"}, outbox.now())
    await asyncio.wait(sender.calls)
    await run_dry(sender)
    assert await outbox.statuses([first, *rest]) == ["sent", "cancelled", "sent"]
    assert [number for number, _ in outbox.taken()] == [FEW[0], FEW[2]]


async def test_one_number_that_is_not_settled_holds_up_no_other(outbox: Outbox) -> None:
    outbox.strike("reset")
    first = await outbox.queue(FEW[1])
    await outbox.send()
    ids = await outbox.queue_many(FEW)
    await outbox.send()
    assert outbox.sends()[-1] == [FEW[0], *FEW[2:]]
    assert (await outbox.statuses(ids))[1] == "queued"
    by_hand, now = OutboundEvent.FAILED_BY_HAND, outbox.now()
    await outbox.database.write(resolve_by_hand, first, by_hand, None, "Anna", now)
    await outbox.send()
    assert outbox.sends()[-1] == [FEW[1]]


async def test_many_are_scheduled_here_or_at_the_provider(outbox: Outbox) -> None:
    later = outbox.now() + timedelta(hours=1)
    await outbox.queue_many(FEW, schedule_at=later, schedule_by="letterbox")
    there = await outbox.queue_many(CROWD[5:9], schedule_at=later, schedule_by="provider")
    assert await outbox.send() == 1
    assert outbox.sends() == [CROWD[5:9]]
    assert {each.due_at for each in outbox.world.outgoing.texts} == {later}
    await cancel_text(
        outbox.database, lambda: outbox.client, there[1], who="key:x", now=outbox.now()
    )
    assert await outbox.statuses(there) == ["sent", "cancelled", "sent", "sent"]
    outbox.pass_seconds(3600)
    assert await outbox.send() == 1
    assert outbox.sends()[-1] == FEW


async def test_texts_whose_caller_died_are_uncertain_and_never_sent_again(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)
    sender = outbox.make_sender()
    outbox.strike("silence", seconds=30)
    await sender.turn()
    outbox.pass_seconds(101)
    assert await outbox.database.write(end_leases, outbox.now()) == 5
    assert await outbox.send() == 0
    assert await outbox.statuses(ids) == ["uncertain"] * 5
    for call in sender.calls:
        call.cancel()
    await asyncio.wait(sender.calls)


async def test_texts_whose_time_is_over_leave_the_call_to_the_others(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)
    soon = outbox.now() + timedelta(seconds=5)

    def shorten(conn: Any) -> None:
        at = "'" + soon.isoformat() + "'" if conn.dialect.name == "postgresql" else None
        at = at or str(int(soon.timestamp() * 1_000_000))
        conn.exec_driver_sql(f"UPDATE outbound SET send_before = {at} WHERE id = {ids[0]}")

    await outbox.database.write(shorten)
    sender = outbox.make_sender()
    times = iter([0.0, 6.0])
    sender.seconds = lambda: next(times, 6.0)
    await run_dry(sender)
    assert outbox.sends() == [FEW[1:]]
    assert await outbox.statuses(ids) == ["expired", "sent", "sent", "sent", "sent"]


@pytest.mark.parametrize(
    "reply",
    [
        httpx2.Response(200, text="<html>Sign in</html>"),
        httpx2.Response(404, text="not here"),
        httpx2.Response(302, headers={"location": "/login"}),
        httpx2.Response(500, text="oops"),
        httpx2.Response(200, text=""),
        httpx2.Response(200, text='{"status": 200}'),
        httpx2.Response(429, text="later"),
    ],
    ids=lambda reply: f"{reply.status_code}",
)
@pytest.mark.alike
async def test_no_text_of_many_is_risked_where_no_provider_answers(
    outbox: Outbox, reply: httpx2.Response
) -> None:
    ids = await outbox.queue_many(CROWD)
    seen: list[httpx2.Request] = []

    def answer_anything(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(reply.status_code, text=reply.text, headers=reply.headers)

    for _ in range(3):
        await outbox.send_to(answer_anything)
        outbox.pass_seconds(30)
    sends = [each.content for each in seen if b"Action=Send" in each.content]
    # Who asks for a rest is asked again with one text.
    assert not [each for each in sends if reply.status_code != 429 or b"%2C" in each]
    assert set(await outbox.statuses(ids)) <= {"queued", "held"}
    outbox.pass_seconds(3600)
    for _ in range(3):
        await outbox.send()
        outbox.pass_seconds(60)
    assert set(await outbox.statuses(ids)) == {"sent"}


async def test_the_source_stays_one_of_ours(outbox: Outbox) -> None:
    await outbox.queue_many(FEW)
    await outbox.send()
    assert {each.source for each in outbox.world.outgoing.texts} == {OURS}
