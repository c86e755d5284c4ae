"""The sender: what becomes of a text, and of those behind it, whatever the provider does."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import httpx2
from structlog.testing import capture_logs

from app.flows.send import LEASE_SECONDS, Sender
from app.storage.attempts import record_results
from app.storage.claims import claim_texts
from app.storage.database import Database
from app.storage.lapses import end_leases, expire_overdue
from app.storage.opt_outs import find_opted_out, note_refused_number
from app.storage.sender import get_sender, pause_sender, resume_sender
from tests.support.outbox import ADA, GRACE, OURS, Outbox, open_outbox


async def test_a_text_goes_out_once_with_its_id_kept(outbox: Outbox) -> None:
    number = await outbox.queue()
    assert await outbox.send() == 1
    assert await outbox.send() == 0
    row = await outbox.row(number)
    assert (row.status, row.attempts, row.error_text) == ("sent", 1, None)
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
        f"SELECT attempt, fate, error_class, code FROM send_attempts"
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
    await outbox.send()
    outbox.pass_seconds(86400)
    await outbox.send()
    assert {await outbox.status(each) for each in numbers} == {"uncertain"}
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


async def test_an_account_error_stops_all_until_one_message_succeeds(outbox: Outbox) -> None:
    for turn, code in enumerate([-100, -501, -512, -513, -514, -515]):
        first, second = await outbox.queue(), await outbox.queue(GRACE)
        outbox.strike("code", taken=False, code=code, times=2)
        await outbox.send(concurrency=1)
        assert (await outbox.row(first)).held_reason == "account"
        assert await outbox.status(second) == "queued"
        assert await outbox.alerts() == ["sender-stopped"]
        outbox.pass_seconds(30)
        assert await outbox.send() == 0  # not yet
        outbox.pass_seconds(31)
        assert await outbox.send() == 1  # one tries, and is refused again
        assert await outbox.alerts() == ["sender-stopped"]
        state = await outbox.database.read(get_sender)
        assert (state.state, state.changed_at) == ("stopped", outbox.now() - timedelta(seconds=61))
        outbox.pass_seconds(61)
        assert await outbox.send() == 2
        assert [await outbox.status(each) for each in (first, second)] == ["sent", "sent"]
        assert (await outbox.database.read(get_sender)).state == "running"
        assert await outbox.alerts() == []
        assert len(outbox.taken()) == 2 * turn + 2


async def test_a_persons_pause_holds_until_a_person_ends_it(outbox: Outbox) -> None:
    await outbox.queue()
    await outbox.database.write(pause_sender, "Anna", "holiday", outbox.now())
    outbox.pass_seconds(86_000)
    assert await outbox.send() == 0
    await outbox.database.write(resume_sender, "Anna", outbox.now())
    assert await outbox.send() == 1


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


async def test_a_late_automatic_reply_expires(outbox: Outbox) -> None:
    soon = outbox.now() + timedelta(seconds=60)
    in_time = await outbox.queue(origin="rule", in_reply_to=1, send_before=soon)
    await outbox.send()
    late = await outbox.queue(origin="rule", in_reply_to=2, send_before=soon)
    paused = await outbox.queue(origin="rule", in_reply_to=3, send_before=soon)
    outbox.pass_seconds(60)
    await outbox.send()
    assert await outbox.database.write(expire_overdue, outbox.now()) == 0
    statuses = [await outbox.status(each) for each in (in_time, late, paused)]
    assert statuses == ["sent", "expired", "expired"]
    assert len(outbox.taken()) == 1


async def test_replies_expire_while_sending_is_paused(outbox: Outbox) -> None:
    await outbox.database.write(pause_sender, "Anna", None, outbox.now())
    number = await outbox.queue(origin="rule", in_reply_to=1, send_before=outbox.now())
    assert await outbox.database.write(expire_overdue, outbox.now()) == 1
    assert await outbox.status(number) == "expired"


async def test_who_opted_out_after_the_queueing_gets_nothing(outbox: Outbox) -> None:
    plain = await outbox.queue()
    forced = await outbox.queue(forced=True, source="447700900002")
    answer = await outbox.queue(origin="opt-out", in_reply_to=1, source="447700900003")
    await outbox.database.write(note_refused_number, ADA, "STOP", outbox.now())
    await outbox.send()
    statuses = [await outbox.status(each) for each in (plain, forced, answer)]
    assert statuses == ["cancelled", "sent", "sent"]


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
    counts = [sum([await sender.run_dry() for sender in senders])]
    for _ in range(10):
        outbox.pass_seconds(0.1)
        counts.append(sum([await sender.run_dry() for sender in senders]))
    assert counts == [1] * 11


async def test_a_high_pace_lets_several_go_at_once(outbox: Outbox) -> None:
    for turn in range(30):
        await outbox.queue(f"4477009000{turn:02}")
    sender = outbox.make_sender(per_second=100, concurrency=8)
    assert len((await sender.turn()).texts) == 8
    sender = outbox.make_sender(per_second=100, concurrency=8)
    assert len((await sender.turn()).texts) == 2


async def claim_one(outbox: Outbox) -> Any:
    claim = await outbox.database.write(
        claim_texts, limit=1, per_second=1000, lease_seconds=LEASE_SECONDS, now=outbox.now()
    )
    return claim.texts[0]


async def test_an_expired_lease_is_uncertain_not_sent_again(outbox: Outbox) -> None:
    number = await outbox.queue()
    await claim_one(outbox)
    outbox.pass_seconds(LEASE_SECONDS - 1)
    assert await outbox.database.write(end_leases, outbox.now()) == 0
    outbox.pass_seconds(1)
    assert await outbox.database.write(end_leases, outbox.now()) == 1
    assert await outbox.status(number) == "uncertain"
    assert await outbox.send() == 0


async def test_who_slept_over_the_lease_does_not_call(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    times = iter([0.0])
    sender.seconds = lambda: next(times, 40.0)  # it slept while it claimed
    await sender.turn()
    sender.seconds = lambda: outbox.seconds[0]
    await sender.run_dry()
    row = await outbox.row(number)
    assert (row.status, row.attempts) == ("queued", 1)
    assert row.due_at is not None
    assert outbox.taken() == []


async def test_a_late_answer_settles_what_was_uncertain(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    await outbox.database.write(end_leases, outbox.now() + timedelta(seconds=LEASE_SECONDS))
    assert await outbox.status(number) == "uncertain"
    await sender.run_dry()
    assert await outbox.status(number) == "sent"
    assert await outbox.ids(number) == ["3509592"]
    assert await outbox.alerts() == []


async def test_an_id_that_comes_too_late_is_kept_and_alerted(outbox: Outbox) -> None:
    cases = [
        ("status = 'queued'", "sent"),  # proved absent, not yet claimed again: not sent twice
        ("status = 'sending', attempts = 2", "sending"),
        ("status = 'failed'", "failed"),
        ("status = 'sent', settled_at = NULL", "sent"),
    ]
    for turn, (then, status) in enumerate(cases, 1):
        number = await outbox.queue(f"44770090005{turn}")
        sender = outbox.make_sender()
        await sender.turn()

        def settle(conn: Any, then: str = then, number: int = number) -> None:
            conn.exec_driver_sql(f"UPDATE outbound SET {then} WHERE id = {number}")

        await outbox.database.write(settle)
        await sender.run_dry()
        assert await outbox.status(number) == status
        assert len(await outbox.ids(number)) == 1
        assert await outbox.alerts() == ["late-answer"] * turn


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


async def test_the_figures_count_texts_and_seconds_to_a_reply(kit: Any, database: Database) -> None:
    await kit.forward("1", dest=OURS, source=ADA)
    async with open_outbox(kit.runtime.database) as outbox:
        before = await outbox.fetch("SELECT arrived_at FROM messages")
        assert before
        await outbox.queue(origin="rule", in_reply_to=1)
        await outbox.send()
        rows = await outbox.fetch("SELECT figure, number, value FROM daily_figures ORDER BY figure")
    assert [(row[0], row[1]) for row in rows] == [
        ("replied", OURS),
        ("reply_seconds", OURS),
        ("sent", OURS),
    ]


async def test_results_of_one_turn_are_recorded_together(outbox: Outbox) -> None:
    numbers = [await outbox.queue(f"44770090005{turn}") for turn in range(6)]
    outbox.strike("code", taken=False, code=-401, skip=2)
    outbox.strike("reset", skip=3)
    await outbox.send()
    statuses = sorted([await outbox.status(each) for each in numbers])
    assert statuses == ["failed", "sent", "sent", "sent", "sent", "uncertain"]
    assert await outbox.database.write(record_results, []) == []


async def wait_for_calls(sender: Sender) -> None:
    if sender.calls:
        await asyncio.wait(sender.calls)


async def test_a_result_that_is_recorded_twice_is_no_late_answer(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    await wait_for_calls(sender)
    twice = sender.finished * 2  # the answer to the commit was lost, so it was made again
    for result in twice:
        sender.finished = [result]
        await sender.turn()
    assert await outbox.status(number) == "sent"
    assert await outbox.alerts() == []
    assert [change[0] for change in await outbox.history(number)] == ["sent"]
    assert await outbox.fetch("SELECT value FROM daily_figures WHERE figure = 'sent'") == [(1,)]


TROUBLE = {
    "sqlite": """
CREATE TRIGGER trouble BEFORE INSERT ON provider_messages WHEN NEW.outbound_id = 1
BEGIN SELECT RAISE(ABORT, 'trouble'); END
""",
    "postgresql": """
CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'trouble'; END $$
;;
CREATE TRIGGER trouble BEFORE INSERT ON provider_messages FOR EACH ROW
    WHEN (NEW.outbound_id = 1) EXECUTE FUNCTION trouble()
""",
}


async def test_a_result_that_cannot_be_recorded_holds_up_no_other_and_is_kept(
    outbox: Outbox,
) -> None:
    dialect = outbox.database.dialect

    async def run(statements: str) -> None:
        def execute(conn: Any) -> None:
            for statement in statements.split(";;"):
                conn.exec_driver_sql(statement)

        await outbox.database.write(execute)

    troubled, fine, after = [await outbox.queue(f"44770090005{turn}") for turn in range(3)]
    await run(TROUBLE[dialect])
    sender = outbox.make_sender(concurrency=2)
    with capture_logs() as told:  # to print a traceback takes seconds
        for _ in range(4):
            await sender.turn()
            await wait_for_calls(sender)
    assert {each["event"] for each in told} == {"recording_failed", "result_not_recorded"}
    statuses = [await outbox.status(each) for each in (troubled, fine, after)]
    assert statuses == ["sending", "sent", "sent"]
    await run("DROP TRIGGER trouble" + (" ON provider_messages" if dialect != "sqlite" else ""))
    await sender.turn()
    assert (await outbox.status(troubled), len(await outbox.ids(troubled))) == ("sent", 1)
    assert len(outbox.taken()) == 3


async def test_an_account_that_is_tried_during_maintenance_is_left_for_a_minute(
    outbox: Outbox,
) -> None:
    texts = [await outbox.queue(each) for each in (ADA, GRACE)]
    outbox.strike("code", taken=False, code=-100)
    await outbox.send(concurrency=1)
    outbox.strike("code", taken=False, code=-511)
    outbox.pass_seconds(61)
    assert await outbox.send() == 1
    outbox.pass_seconds(10)
    assert await outbox.send() == 0
    outbox.strike("code", taken=False, code=-401)
    outbox.pass_seconds(51)
    assert await outbox.send() == 1  # refused for itself: another may try at once
    outbox.pass_seconds(1)
    assert await outbox.send() == 1
    assert sorted([await outbox.status(each) for each in texts]) == ["failed", "sent"]


async def test_a_claim_says_when_the_next_text_is_due(outbox: Outbox) -> None:
    at = outbox.now() + timedelta(seconds=0.25)
    await outbox.queue(schedule_at=at, schedule_by="letterbox")
    assert (await outbox.make_sender().turn()).wait_seconds == 0.25
    outbox.pass_seconds(0.25)
    assert await outbox.send() == 1
    assert (await outbox.make_sender().turn()).wait_seconds is None


async def test_a_text_is_claimed_ahead_while_calls_are_quick(outbox: Outbox) -> None:
    for turn in range(9):
        await outbox.queue(f"44770090005{turn}")
    for step, claimed in ((0.1, [1, 2]), (2.0, [1, 1])):  # seconds between two looks at the clock
        sender = outbox.make_sender(concurrency=1)
        sender.seconds = itertools.count(0.0, step).__next__
        counts = []
        for _ in range(2):
            counts.append(len((await sender.turn()).texts))
            await wait_for_calls(sender)
        assert counts == claimed
        await sender.drain()
    assert len(outbox.taken()) == 5


async def test_what_was_claimed_ahead_is_given_back_where_sending_stops(outbox: Outbox) -> None:
    numbers = [await outbox.queue(f"44770090005{turn}") for turn in range(3)]
    sender = outbox.make_sender(concurrency=1)
    await sender.turn()
    await wait_for_calls(sender)
    outbox.strike("code", taken=False, code=-100)
    await sender.turn()
    await sender.run_dry()
    assert [await outbox.status(each) for each in numbers] == ["sent", "held", "queued"]
    assert outbox.world.calls.counts["Send"] == 2
    assert [row.fate for row in await outbox.fetch("SELECT fate FROM send_attempts")] == [
        "certainly taken",
        "certainly refused",
        "certainly not taken",
    ]


async def test_what_was_claimed_ahead_is_given_back_at_the_end(
    outbox: Outbox, monkeypatch: Any
) -> None:
    monkeypatch.setattr("app.flows.send.DRAIN_SECONDS", 0.01)
    numbers = [await outbox.queue(f"44770090005{turn}") for turn in range(3)]
    sender = outbox.make_sender(concurrency=1)
    await sender.turn()
    await wait_for_calls(sender)
    outbox.strike("slow", seconds=5)
    await sender.turn()
    await sender.drain()
    assert [await outbox.status(each) for each in numbers] == ["sent", "uncertain", "queued"]


async def test_a_late_answer_with_the_id_that_the_report_gave_is_no_news(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    await outbox.database.write(end_leases, outbox.now() + timedelta(seconds=LEASE_SECONDS))
    await wait_for_calls(sender)
    outbox.pass_seconds(LEASE_SECONDS + 10)
    assert await outbox.settle() == 1
    await sender.turn()
    assert await outbox.status(number) == "sent"
    assert await outbox.alerts() == []
