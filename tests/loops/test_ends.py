"""What is left of a call when the loops end."""

import asyncio
from pathlib import Path

import pytest

from tests.loops.working import (
    queue,
    wait_for,
    working,
)
from tests.support.outbox import Outbox


async def test_a_call_under_way_is_waited_for_at_the_end(
    outbox: Outbox, database_url: str, tmp_path: Path
) -> None:
    outbox.strike("slow", seconds=0.5)
    async with working(database_url, tmp_path / "data", outbox.client) as worker:
        await queue(worker.runtime)

        async def is_called() -> bool:
            return bool(outbox.world.calls.counts["Send"])

        await wait_for(is_called)
    assert await outbox.status(1) == "sent"


async def test_a_call_that_is_cut_off_at_the_end_is_uncertain_at_once(
    outbox: Outbox, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.outbound.sending.send.DRAIN_SECONDS", 0.05)
    outbox.strike("slow", seconds=5)
    async with working(database_url, tmp_path / "data", outbox.client) as worker:
        await queue(worker.runtime)

        async def is_called() -> bool:
            return bool(outbox.world.calls.counts["Send"])

        await wait_for(is_called)
    assert await outbox.status(1) == "uncertain"


async def test_what_a_turn_claims_while_the_process_ends_is_given_back(outbox: Outbox) -> None:
    await outbox.queue()
    sender = outbox.make_sender()
    turn = asyncio.create_task(sender.turn())
    await asyncio.sleep(0)
    turn.cancel()
    await asyncio.wait({turn})
    await sender.drain()
    assert (turn.cancelled(), await outbox.status(1), outbox.taken()) == (True, "queued", [])
    assert await outbox.send() == 1
