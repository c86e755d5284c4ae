"""The sender: what becomes of a text, and of those behind it, whatever the provider does."""

from datetime import timedelta
from typing import Any

import httpx2

from app.storage.db.database import Database
from app.storage.operations.events import read_events
from app.storage.outbound.sending.sender import get_sender
from app.storage.rules.opt_outs import find_opted_out, note_refused_numbers, remove_opt_out
from tests.support.outbox import ADA, GRACE, OURS, Outbox, claim_due, open_outbox, run_dry


async def test_a_text_goes_out_once_with_its_id_kept(outbox: Outbox) -> None:
    number = await outbox.queue()
    assert await outbox.send() == 1
    assert await outbox.send() == 0
    row = await outbox.row(number)
    assert (row.status, row.attempts, row.error_text) == ("sent", 1, None)
    tries = await outbox.fetch("SELECT ended_at FROM send_attempts")
    assert [row.sent_at] == [each.ended_at for each in tries] != [None]
    assert await outbox.ids(number) == ["3509592"]
    assert outbox.taken() == [(ADA, "Hello")]
    assert outbox.changes


async def test_a_long_text_keeps_the_id_of_each_part(outbox: Outbox) -> None:
    number = await outbox.queue(body="x" * 200)
    await outbox.send()
    assert len(await outbox.ids(number)) == 2


async def test_every_try_is_kept_with_what_came_of_it(outbox: Outbox) -> None:
    number = await outbox.queue()
    outbox.strike("code", taken=False, code=-511)
    await outbox.send()
    outbox.pass_seconds(3)
    await outbox.send()
    rows = await outbox.fetch(
        f"SELECT attempt, outcome, error_class, code FROM send_attempts"
        f" WHERE outbound_id = {number} ORDER BY attempt"
    )
    assert [tuple(row) for row in rows] == [
        (1, "certainly refused", "passing", "-511"),
        (2, "certainly taken", None, None),
    ]


# The ways in which nobody knows whether a call was taken.
UNKNOWN_FATES: list[tuple[str, dict[str, Any]]] = [
    ("reset", {}),
    ("reset", {"taken": False}),
    ("cut", {}),
    ("silence", {"seconds": 0}),
    ("silence", {"seconds": 0, "taken": False}),
    ("status", {"status": 500}),
    ("status", {"status": 503, "taken": False}),
    ("html", {"status": 200}),
    ("empty", {"taken": False}),
    ("code", {"code": -300}),
    ("code", {"code": -301, "taken": False}),
]


async def test_what_nobody_knows_is_uncertain_and_never_sent_again(outbox: Outbox) -> None:
    numbers = {}
    for turn, (kind, how) in enumerate(UNKNOWN_FATES):
        to = f"4477009000{turn + 20}"
        numbers[await outbox.queue(to)] = to
        outbox.strike(kind, destination=to, **how)
    # One text at a time is risked, ever more rarely.
    for _ in range(len(UNKNOWN_FATES) + 1):
        await outbox.send()
        outbox.pass_seconds(601)
    assert {await outbox.status(each) for each in numbers} == {"uncertain"}
    outbox.pass_seconds(86400)
    await outbox.send()
    assert len(outbox.taken()) == sum(how.get("taken", True) for _, how in UNKNOWN_FATES)
    assert outbox.world.calls.counts["Send"] == len(UNKNOWN_FATES)


async def test_a_code_decides_what_follows(outbox: Outbox) -> None:
    cases = {
        -401: ("failed", None),
        -406: ("failed", None),
        -507: ("failed", None),
        -411: ("held", "daily-limit"),
        -511: ("queued", None),
    }
    for code, (status, reason) in cases.items():
        number = await outbox.queue(f"447700900{-code}")
        await outbox.send()
        row = await outbox.row(number)
        assert (row.status, row.held_reason, row.error_code) == (status, reason, str(code))
    assert (await outbox.database.read(get_sender)).state == "running"
    assert await outbox.fetch("SELECT value FROM daily_counts WHERE name = 'failed'") == [(3,)]


async def test_a_daily_limit_ends_at_londons_midnight(outbox: Outbox) -> None:
    number = await outbox.queue()
    outbox.strike("code", taken=False, code=-411)
    await outbox.send()
    outbox.pass_seconds(10 * 3600)
    assert await outbox.send() == 0
    outbox.pass_seconds(3600)
    assert await outbox.send() == 1
    assert await outbox.status(number) == "sent"


async def test_a_blacklisted_number_is_an_opt_out(outbox: Outbox) -> None:
    outbox.strike("code", taken=False, code=-412)
    first = await outbox.queue()
    await outbox.send()
    second = await outbox.queue(source="447700900002")
    await outbox.send()
    assert await outbox.status(first) == "failed"
    assert await outbox.status(second) == "cancelled"
    assert await outbox.database.read(find_opted_out, [ADA, GRACE]) == {ADA}


async def test_what_else_waits_for_a_blacklisted_number_is_cancelled_at_once(
    outbox: Outbox,
) -> None:
    scheduled: dict[str, Any] = {
        "schedule_at": outbox.now() + timedelta(days=1),
        "schedule_by": "letterbox",
    }
    outbox.strike("reset")
    under_way = await outbox.queue(source="447700900002")
    await outbox.send()
    outbox.strike("code", taken=False, code=-412)
    refused = await outbox.queue()
    waiting = [await outbox.queue(**scheduled), await outbox.queue(force=True, **scheduled)]
    other = await outbox.queue(GRACE, **scheduled)
    outbox.changes.clear()
    await outbox.send()
    texts = [under_way, refused, *waiting, other]
    statuses = ["uncertain", "failed", "cancelled", "cancelled", "queued"]
    assert [await outbox.status(each) for each in texts] == statuses
    for number in waiting:
        assert await outbox.history(number) == [("cancelled", "opt-out", None)]
    events = await outbox.database.read(read_events, after=0, limit=9)
    texts = [each.subject_id for each in events if each.kind != "opt-out"]
    assert texts == [under_way, refused, *waiting]
    assert [each.kind for each in events].count("opt-out") == 1
    assert outbox.changes


async def test_texts_to_one_number_go_one_after_the_other(outbox: Outbox) -> None:
    first, second = await outbox.queue(body="one"), await outbox.queue(body="two")
    outbox.strike("reset")
    await outbox.send()
    assert [await outbox.status(each) for each in (first, second)] == ["uncertain", "queued"]
    other = await outbox.queue(source="447700900002")
    await outbox.send()
    assert await outbox.status(other) == "sent"
    assert await outbox.status(second) == "queued"


async def test_many_texts_to_a_blocked_number_keep_nobody_waiting(outbox: Outbox) -> None:
    outbox.strike("reset")
    for turn in range(130):
        await outbox.queue(body=str(turn))
    last = await outbox.queue(GRACE)
    for _ in range(3):
        await outbox.send()
    assert await outbox.status(last) == "sent"


async def test_who_opted_out_after_the_queueing_gets_nothing(outbox: Outbox) -> None:
    plain = await outbox.queue()
    forced = await outbox.queue(force=True, source="447700900002")
    answer = await outbox.queue(origin="opt-out", in_reply_to=1, source="447700900003")
    back = await outbox.queue(GRACE)
    both = {ADA: "STOP", GRACE: "STOP"}
    await outbox.database.write(note_refused_numbers, both, outbox.now())
    await outbox.database.write(remove_opt_out, GRACE, now=outbox.now())
    await outbox.send()
    statuses = await outbox.statuses([plain, forced, answer, back])
    assert statuses == ["cancelled", "sent", "sent", "sent"]


async def test_a_scheduled_text_waits_here_or_at_the_provider(outbox: Outbox) -> None:
    later = outbox.now() + timedelta(hours=1)
    here = await outbox.queue(schedule_at=later, schedule_by="letterbox")
    there = await outbox.queue(GRACE, schedule_at=later, schedule_by="provider")
    await outbox.send()
    assert await outbox.status(here) == "queued"
    assert await outbox.status(there) == "sent"
    [text] = outbox.world.outgoing.texts
    assert text.due_at == later
    outbox.pass_seconds(3600)
    await outbox.send()
    assert await outbox.status(here) == "sent"


async def test_a_schedule_for_the_provider_that_has_passed_is_not_passed_on(
    outbox: Outbox,
) -> None:
    at = outbox.now() + timedelta(hours=1)
    for number in (ADA, GRACE):
        await outbox.queue(number, schedule_at=at, schedule_by="provider")
        outbox.pass_seconds(3600)
        [text] = (await outbox.database.write(claim_due, now=outbox.now())).texts
        assert (text.to, text.schedule_at) == (number, None)


async def test_a_list_is_sent_with_the_id_of_its_background_send(outbox: Outbox) -> None:
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    row = await outbox.row(number)
    assert row.status == "sent"
    assert "61001" in str(row.background_ids)


async def test_a_list_that_was_taken_in_part_is_never_sent_again(outbox: Outbox) -> None:
    number = await outbox.queue(None, list_name="mixed")
    await outbox.send()
    row = await outbox.row(number)
    assert (row.status, row.error_code) == ("sent", "-400")
    assert row.settled_at is not None
    assert len(outbox.taken()) == 2


async def test_the_pace_holds_over_all_senders(outbox: Outbox) -> None:
    for turn in range(30):
        await outbox.queue(f"4477009000{turn:02}")
    senders = [outbox.make_sender(per_second=10) for _ in range(3)]
    counts = [sum([await run_dry(sender) for sender in senders])]
    for _ in range(10):
        outbox.pass_seconds(0.1)
        counts.append(sum([await run_dry(sender) for sender in senders]))
    assert counts == [1] * 11


async def test_a_high_pace_lets_several_go_at_once(outbox: Outbox) -> None:
    for turn in range(30):
        await outbox.queue(f"4477009000{turn:02}")
    sender = outbox.make_sender(per_second=100, concurrency=8)
    assert len((await sender.turn()).texts) == 8
    sender = outbox.make_sender(per_second=100, concurrency=8)
    assert len((await sender.turn()).texts) == 2


async def test_a_call_without_an_end_is_uncertain(outbox: Outbox) -> None:
    number = await outbox.queue()
    outbox.strike("silence", seconds=5)
    await outbox.send(call_seconds=0.01)
    assert await outbox.status(number) == "uncertain"


async def test_ids_among_codes_count_as_taken(outbox: Outbox) -> None:
    number = await outbox.queue(body="x" * 200)
    await outbox.send_to(lambda _: httpx2.Response(200, text="17,-300"))
    assert await outbox.status(number) == "sent"
    assert await outbox.ids(number) == ["17"]


async def test_daily_counts_have_texts_and_seconds_to_a_reply(kit: Any, database: Database) -> None:
    await kit.forward("1", dest=OURS, source=ADA)
    async with open_outbox(kit.runtime.database) as outbox:
        before = await outbox.fetch("SELECT arrived_at FROM messages")
        assert before
        await outbox.queue(origin="rule", in_reply_to=1)
        await outbox.send()
        rows = await outbox.fetch("SELECT name, number, value FROM daily_counts ORDER BY name")
    assert [(row[0], row[1]) for row in rows] == [
        ("replied", OURS),
        ("reply_seconds", OURS),
        ("sent", OURS),
    ]
