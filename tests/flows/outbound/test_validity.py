"""A text's time: what could not go out before it was over ends, and nobody calls for it."""

import itertools
from datetime import datetime, timedelta

import pytest

from app.domain.errors import Conflict
from app.domain.outbound.transitions import OutboundEvent
from app.storage.operations.events import read_events
from app.storage.outbound.sending.expiry import expire_overdue
from app.storage.outbound.sending.resolving import resolve_by_hand
from app.storage.outbound.sending.sender import pause_sender, resume_sender
from app.storage.outbound.texts import get_outbound
from tests.support.outbox import GRACE, Outbox, run_dry

HOUR = 3600


async def expire(outbox: Outbox) -> int:
    return await outbox.database.write(expire_overdue, outbox.now())


async def find_error(outbox: Outbox, number: int) -> str | None:
    error = (await outbox.database.read(get_outbound, number)).error
    return None if error is None else error.text


async def test_a_text_whose_validity_ends_during_a_pause_expires_then(outbox: Outbox) -> None:
    await outbox.database.write(pause_sender, "Anna", None, outbox.now())
    number = await outbox.queue(validity_seconds=HOUR)
    lasting = await outbox.queue(GRACE)
    outbox.pass_seconds(HOUR - 1)
    assert await expire(outbox) == 0
    outbox.pass_seconds(1)
    assert await expire(outbox) == 1
    assert await outbox.history(number) == [("expired", "send", None)]
    assert (await outbox.row(number)).settled_at == (await outbox.row(number)).send_before
    assert await find_error(outbox, number) == "it could not go out in time"
    events = await outbox.database.read(read_events, after=0, limit=9)
    assert ("status", number) in [(each.kind, each.subject_id) for each in events]
    await outbox.database.write(resume_sender, "Anna", outbox.now())
    assert await outbox.send() == 1
    assert [await outbox.status(each) for each in (number, lasting)] == ["expired", "sent"]


async def test_a_text_expires_while_the_account_keeps_it_waiting(outbox: Outbox) -> None:
    outbox.strike("code", taken=False, code=-100, times=9)
    number = await outbox.queue(validity_seconds=HOUR)
    await outbox.send()
    assert await outbox.status(number) == "held"
    outbox.pass_seconds(HOUR)
    assert await expire(outbox) == 1
    row = await outbox.row(number)
    assert (row.status, row.held_reason, row.error_code) == ("expired", None, "-100")


async def test_a_text_that_waits_for_another_of_its_pair_is_not_sent_too_late(
    outbox: Outbox,
) -> None:
    outbox.strike("reset")
    first = await outbox.queue()
    second = await outbox.queue(validity_seconds=HOUR)
    await outbox.send()
    outbox.pass_seconds(HOUR)
    await outbox.database.write(
        resolve_by_hand, first, OutboundEvent.FAILED_BY_HAND, None, "Anna", outbox.now()
    )
    assert await outbox.send() == 0
    assert await outbox.status(second) == "expired"


@pytest.mark.parametrize("schedule_by", ["letterbox", "provider"])
async def test_the_validity_of_a_scheduled_text_begins_with_its_time(
    outbox: Outbox, schedule_by: str
) -> None:
    later = outbox.now() + timedelta(days=2)
    await outbox.database.write(pause_sender, "Anna", None, outbox.now())
    number = await outbox.queue(schedule_at=later, schedule_by=schedule_by, validity_seconds=HOUR)
    outbox.pass_seconds(2 * 24 * HOUR + HOUR - 1)
    assert await expire(outbox) == 0
    outbox.pass_seconds(1)
    assert await expire(outbox) == 1
    assert await outbox.status(number) == "expired"


async def test_a_text_whose_time_ends_between_claim_and_call_does_not_go_out(
    outbox: Outbox,
) -> None:
    number = await outbox.queue(validity_seconds=3)
    sender = outbox.make_sender()
    times = itertools.chain([0.0], itertools.repeat(4.0))
    sender.seconds = lambda: next(times)
    await run_dry(sender)
    assert outbox.world.calls.counts.get("Send", 0) == 0
    assert await outbox.status(number) == "expired"
    assert await find_error(outbox, number) == "it expired before the call"


async def test_a_late_automatic_reply_expires(outbox: Outbox) -> None:
    soon = outbox.now() + timedelta(seconds=60)
    in_time = await outbox.queue(origin="rule", in_reply_to=1, send_before=soon)
    await outbox.send()
    late = await outbox.queue(origin="rule", in_reply_to=2, send_before=soon)
    paused = await outbox.queue(origin="rule", in_reply_to=3, send_before=soon)
    outbox.pass_seconds(60)
    await outbox.send()
    assert await expire(outbox) == 0
    statuses = [await outbox.status(each) for each in (in_time, late, paused)]
    assert statuses == ["sent", "expired", "expired"]
    assert len(outbox.taken()) == 1


@pytest.mark.parametrize(("before", "within", "seconds"), [(60, HOUR, 60), (HOUR, 60, 60)])
async def test_a_reply_goes_out_before_its_time_and_within_its_validity(
    outbox: Outbox, before: int, within: int, seconds: int
) -> None:
    queued_at: datetime = outbox.now()
    number = await outbox.queue(
        origin="rule",
        in_reply_to=1,
        send_before=queued_at + timedelta(seconds=before),
        validity_seconds=within,
    )
    text = await outbox.database.read(get_outbound, number)
    assert text.send_before == queued_at + timedelta(seconds=seconds)


async def test_nobody_has_a_text_sent_again_whose_time_is_over(outbox: Outbox) -> None:
    outbox.strike("reset", taken=False)
    number = await outbox.queue(validity_seconds=HOUR)
    await outbox.send()
    outbox.pass_seconds(HOUR)
    again, now = OutboundEvent.RESENT_BY_HAND, outbox.now()
    with pytest.raises(Conflict, match="its time is over"):
        await outbox.database.write(resolve_by_hand, number, again, None, "Anna", now)
    assert await outbox.status(number) == "uncertain"
    failed = OutboundEvent.FAILED_BY_HAND
    await outbox.database.write(resolve_by_hand, number, failed, None, "Anna", now)
    assert await outbox.status(number) == "failed"
