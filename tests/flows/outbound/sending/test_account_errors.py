"""Errors of the account stop the sender, a person's pause holds, and both end as they should."""

import asyncio
from datetime import timedelta

import pytest

from app.storage.outbound.sending.sender import get_sender, pause_sender, resume_sender
from tests.support.outbox import ADA, GRACE, Outbox, run_dry


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
    assert (await outbox.make_sender().turn()).wait_seconds is None
    await outbox.database.write(resume_sender, "Anna", outbox.now())
    assert await outbox.send() == 1


@pytest.mark.parametrize("code", [-100, -501, -512, -513, -514, -515])
@pytest.mark.alike
async def test_an_account_error_of_a_call_under_way_ends_no_pause(
    outbox: Outbox, code: int
) -> None:
    texts = [await outbox.queue(), *await outbox.queue_many(["447700900020", "447700900021"])]
    sender = outbox.make_sender(concurrency=1)
    outbox.strike("code", taken=False, code=code)
    await sender.turn()
    paused_at = outbox.now()
    await outbox.database.write(pause_sender, "Anna", "holiday", paused_at)
    await asyncio.gather(*sender.calls)
    await run_dry(sender)
    for _ in range(3):
        outbox.pass_seconds(3601)
        assert await outbox.send() == 0
        await outbox.make_watcher().probe()
        await outbox.make_watcher().look_if_due()
    state = await outbox.database.read(get_sender)
    assert (state.state, state.changed_by, state.reason) == ("paused", "Anna", "holiday")
    assert state.changed_at == paused_at
    assert await outbox.alerts() == ["sender-paused"]
    await outbox.database.write(resume_sender, "Anna", outbox.now())
    await outbox.send()
    assert await outbox.statuses(texts) == ["sent"] * 3


async def test_the_success_of_a_try_under_way_ends_no_pause(outbox: Outbox) -> None:
    texts = [await outbox.queue(each) for each in (ADA, GRACE)]
    outbox.strike("code", taken=False, code=-100)
    await outbox.send(concurrency=1)
    outbox.pass_seconds(61)
    sender = outbox.make_sender(concurrency=1)
    assert len((await sender.turn()).calls) == 1
    await outbox.database.write(pause_sender, "Anna", "holiday", outbox.now())
    await asyncio.gather(*sender.calls)
    await run_dry(sender)
    state = await outbox.database.read(get_sender)
    assert (state.state, state.changed_by) == ("paused", "Anna")
    assert sorted(await outbox.statuses(texts)) == ["queued", "sent"]


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
