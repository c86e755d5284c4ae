"""The sender's claims and leases, and what is recorded: together, one by one, or not at all."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from app.domain.outbound.send_outcomes import SendOutcome
from app.flows.outbound.sending.send import LEASE_SECONDS
from app.storage.operations.events import read_events
from app.storage.outbound.sending.expiry import end_leases
from app.storage.rules.opt_outs import find_opted_out, list_opt_outs
from tests.support.outbox import ADA, GRACE, OURS, Outbox, claim_due, run_dry, wait_for_calls


async def claim_one(outbox: Outbox) -> Any:
    claim = await outbox.database.write(
        claim_due, limit=1, lease_seconds=LEASE_SECONDS, now=outbox.now()
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


async def test_a_lease_that_ends_leaves_the_earlier_tries_as_they_were(outbox: Outbox) -> None:
    outbox.strike("code", taken=False, code=-511)
    await outbox.queue()
    await outbox.send()
    outbox.pass_seconds(60)
    await claim_one(outbox)
    assert await outbox.database.write(end_leases, outbox.now() + timedelta(days=1)) == 1
    tries = await outbox.fetch("SELECT outcome FROM send_attempts ORDER BY attempt")
    assert [row.outcome for row in tries] == [SendOutcome.REFUSED, SendOutcome.UNKNOWN]


async def test_who_slept_over_the_lease_does_not_call(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    times = iter([0.0])
    sender.seconds = lambda: next(times, 40.0)  # it slept while it claimed
    await sender.turn()
    await wait_for_calls(sender)
    assert outbox.taken() == []
    sender.seconds = lambda: outbox.seconds[0]
    await run_dry(sender)
    row = await outbox.row(number)
    assert (row.status, row.attempts) == ("sent", 2)  # it had kept its place
    assert outbox.taken() == [(ADA, "Hello")]


async def test_results_of_one_turn_are_recorded_together(outbox: Outbox) -> None:
    numbers = [await outbox.queue(f"44770090005{turn}") for turn in range(6)]
    outbox.strike("code", taken=False, code=-401, skip=2)
    outbox.strike("reset", skip=3)
    await outbox.send()
    statuses = sorted([await outbox.status(each) for each in numbers])
    assert statuses == ["failed", "sent", "sent", "sent", "sent", "uncertain"]


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
    await run_dry(sender)
    assert [await outbox.status(each) for each in numbers] == ["sent", "held", "queued"]
    assert outbox.world.calls.counts["Send"] == 2
    assert [row.outcome for row in await outbox.fetch("SELECT outcome FROM send_attempts")] == [
        "certainly taken",
        "certainly refused",
        "certainly not taken",
    ]


async def test_what_was_claimed_ahead_is_given_back_at_the_end(
    outbox: Outbox, monkeypatch: Any
) -> None:
    monkeypatch.setattr("app.flows.outbound.sending.send.DRAIN_SECONDS", 0.01)
    numbers = [await outbox.queue(f"44770090005{turn}") for turn in range(3)]
    sender = outbox.make_sender(concurrency=1)
    await sender.turn()
    await wait_for_calls(sender)
    outbox.strike("slow", seconds=5)
    await sender.turn()
    await sender.drain()
    assert [await outbox.status(each) for each in numbers] == ["sent", "uncertain", "queued"]


async def test_a_call_that_ends_at_the_end_begins_no_other(outbox: Outbox) -> None:
    numbers = [await outbox.queue(f"44770090005{turn}") for turn in range(3)]
    sender = outbox.make_sender(concurrency=1)
    await sender.turn()
    await wait_for_calls(sender)
    outbox.strike("slow", seconds=1.0)
    outbox.strike("slow", seconds=5)
    await sender.turn()
    assert (len(sender.calls), len(sender.ready)) == (1, 1)
    draining = asyncio.create_task(sender.drain())
    for _ in range(90):  # it is given back while the call is under way
        if await outbox.status(numbers[2]) == "queued":
            break
        await asyncio.sleep(0.01)
    statuses = [await outbox.status(each) for each in numbers]
    assert statuses == ["sent", "sending", "queued"]
    await draining
    assert [await outbox.status(each) for each in numbers] == ["sent", "sent", "queued"]
    assert outbox.world.calls.counts["Send"] == 2
    assert await outbox.send() == 1  # it has kept its place


async def test_what_comes_back_at_the_end_is_recorded_whatever_spoils_one_of_them(
    outbox: Outbox,
) -> None:
    ids = await outbox.queue_many([f"44770090005{turn}" for turn in range(5)])
    sender = outbox.make_sender()
    await sender.turn()
    await wait_for_calls(sender)
    spoilt = sender.results.finished[2]
    spoilt_call = replace(spoilt.call, answer="\0", code="\0")
    sender.results.finished[2] = replace(spoilt, call=spoilt_call)
    with capture_logs():
        await sender.drain()
    statuses = [await outbox.status(each) for each in ids]
    lost = "sending" if outbox.database.dialect == "postgresql" else "sent"
    assert statuses == ["sent", "sent", lost, "sent", "sent"]


async def test_numbers_that_are_refused_together_are_all_noted(outbox: Outbox) -> None:
    outbox.strike("code", taken=False, code=-412, times=3)
    for source in (OURS, "447700900002"):
        await outbox.queue(source=source)
    await outbox.queue(GRACE)
    later = outbox.now() + timedelta(days=1)
    waiting = [
        await outbox.queue(each, schedule_at=later, schedule_by="letterbox")
        for each in (ADA, GRACE)
    ]
    sender = outbox.make_sender()
    await sender.turn()
    await wait_for_calls(sender)
    await run_dry(sender)
    assert await outbox.statuses(waiting) == ["cancelled"] * 2
    assert await outbox.database.read(find_opted_out, [ADA, GRACE]) == {ADA, GRACE}
    [found] = await outbox.database.read(list_opt_outs, number=ADA, before=None, limit=2)
    assert (found.reason, "blacklisted" in found.text) == ("provider", True)
    events = await outbox.database.read(read_events, after=0, limit=20)
    assert {each.subject_id for each in events if each.kind == "status"} >= {*waiting}
