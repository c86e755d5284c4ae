"""Answers that come late, twice, or of an earlier try than the one under way."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.transitions import OutboundEvent
from app.flows.outbound.sending.send import LEASE_SECONDS
from app.storage.outbound.cancellations import cancel_waiting
from app.storage.outbound.sending.expiry import end_leases
from app.storage.outbound.sending.resolving import ask_person, resolve_by_hand
from app.storage.outbound.sending.sender import get_sender, resume_sender
from tests.support.outbox import Outbox, run_dry, wait_for_calls


async def test_a_late_answer_settles_what_was_uncertain(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    await outbox.database.write(end_leases, outbox.now() + timedelta(seconds=LEASE_SECONDS))
    assert await outbox.status(number) == "uncertain"
    await outbox.database.write(ask_person, number, outbox.now())
    assert await outbox.alerts() == ["uncertain"]
    await run_dry(sender)
    assert await outbox.status(number) == "sent"
    assert await outbox.ids(number) == ["3509592"]
    assert await outbox.alerts() == []


async def test_an_id_that_comes_too_late_is_kept_and_alerted(outbox: Outbox) -> None:
    cases = [
        ("status = 'queued'", "sent"),  # proved absent, not yet claimed again: not sent twice
        ("status = 'sending', attempts = 2", "sending"),
        ("status = 'failed'", "failed"),
        ("status = 'sent', settled_at = due_at, settled_reason = 'no id'", "sent"),
    ]
    for turn, (then, status) in enumerate(cases, 1):
        number = await outbox.queue(f"44770090005{turn}")
        sender = outbox.make_sender()
        await sender.turn()

        def settle(conn: Any, then: str = then, number: int = number) -> None:
            conn.exec_driver_sql(f"UPDATE outbound SET {then} WHERE id = {number}")

        await outbox.database.write(settle)
        await run_dry(sender)
        text = await outbox.row(number)
        assert text.status == status
        if status == "sent":
            assert text.check_at is not None
            assert (text.settled_at, text.settled_reason) == (None, None)
        assert len(await outbox.ids(number)) == 1
        assert await outbox.alerts() == ["late-answer"] * turn


async def test_a_result_that_is_recorded_twice_is_no_late_answer(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    await wait_for_calls(sender)
    twice = sender.results.finished * 2  # the answer to the commit was lost, so it was made again
    for result in twice:
        sender.results.finished = [result]
        await sender.turn()
    assert await outbox.status(number) == "sent"
    assert await outbox.alerts() == []
    assert [change[0] for change in await outbox.history(number)] == ["sent"]
    assert await outbox.fetch("SELECT value FROM daily_counts WHERE name = 'sent'") == [(1,)]


async def test_a_result_that_is_recorded_twice_stops_sending_once(outbox: Outbox) -> None:
    number = await outbox.queue()
    outbox.strike("code", taken=False, code=-100)
    sender = outbox.make_sender()
    await sender.turn()
    await wait_for_calls(sender)
    again = [*sender.results.finished]
    await sender.turn()
    await outbox.database.write(resume_sender, "Anna", outbox.now())
    await outbox.database.write(cancel_waiting, number, "Anna", outbox.now())
    sender.results.finished = again
    await sender.turn()
    assert (await outbox.database.read(get_sender)).state == "running"


async def test_answers_to_two_tries_of_one_text_that_come_together_are_both_kept(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    again, now = OutboundEvent.RESENT_BY_HAND, outbox.now()
    first, second = outbox.make_sender(), outbox.make_sender()
    await first.turn()
    await wait_for_calls(first)
    await outbox.database.write(end_leases, now + timedelta(seconds=LEASE_SECONDS))
    await outbox.database.write(resolve_by_hand, number, again, None, "Anna", now)
    await second.turn()
    await wait_for_calls(second)
    second.results.finished += first.results.finished
    await run_dry(second)
    assert await outbox.status(number) == "sent"
    assert len(await outbox.ids(number)) == len(outbox.taken()) == 2
    tries = await outbox.fetch("SELECT outcome FROM send_attempts")
    assert [row.outcome for row in tries] == [SendOutcome.TAKEN] * 2
    assert await outbox.alerts() == ["late-answer"]


async def test_a_late_refusal_of_an_earlier_try_says_nothing_of_the_one_under_way(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    again, now = OutboundEvent.RESENT_BY_HAND, outbox.now()
    first, second = outbox.make_sender(), outbox.make_sender()
    outbox.strike("code", taken=False, code=-401)
    await first.turn()
    await wait_for_calls(first)
    await outbox.database.write(end_leases, now + timedelta(seconds=LEASE_SECONDS))
    await outbox.database.write(resolve_by_hand, number, again, None, "Anna", now)
    await second.turn()
    await run_dry(first)
    assert await outbox.status(number) == "sending"
    await run_dry(second)
    assert await outbox.status(number) == "sent"
    tries = await outbox.fetch("SELECT outcome FROM send_attempts ORDER BY attempt")
    assert [row.outcome for row in tries] == [SendOutcome.REFUSED, SendOutcome.TAKEN]
    assert await outbox.alerts() == []


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


@pytest.mark.parametrize("is_by_hand", [False, True])
async def test_a_text_that_goes_out_again_has_to_be_proved_absent_anew(
    outbox: Outbox, is_by_hand: bool
) -> None:
    number = await outbox.queue()
    outbox.strike("code", taken=False, code=-511)
    sender, now = outbox.make_sender(), outbox.now()
    await sender.turn()
    await wait_for_calls(sender)
    await outbox.database.write(end_leases, now + timedelta(seconds=LEASE_SECONDS))
    await outbox.database.write(
        lambda conn: conn.exec_driver_sql("UPDATE outbound SET absent_since = created_at")
    )
    if is_by_hand:
        again = OutboundEvent.RESENT_BY_HAND
        await outbox.database.write(resolve_by_hand, number, again, None, "Anna", now)
    else:
        await run_dry(sender)
    row = await outbox.row(number)
    assert (row.status, row.absent_since) == ("queued", None)
