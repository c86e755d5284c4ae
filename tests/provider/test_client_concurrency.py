"""The bounds on calls and downloads at once."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.domain.provider_errors import Unreachable
from app.provider.exchange import REPORTS_AT_ONCE, Timeouts
from tests.support.endpoints.wire_server import answer, wait
from tests.support.provider import calling


async def test_no_more_calls_than_allowed_are_under_way_at_once() -> None:
    async with calling(wait(0.02, answer("1")), concurrency=3) as (client, server):
        await asyncio.gather(*(client.check_credits() for _ in range(12)))

    assert server.most_at_once == 3
    assert server.connections <= 3


async def test_reader_of_reports_can_make_calls_meanwhile() -> None:
    report = answer('"Status","Messages"\n"Sent","1"\n')
    async with (
        calling(report, answer("12"), concurrency=1) as (client, _),
        client.open_report("Outbox") as table,
    ):
        credit = [await client.check_credits() async for _ in table]

    assert credit == [12]


async def test_downloads_that_stall_hold_up_nobody_but_further_downloads() -> None:
    report = answer('"Status","Messages"\n"Sent","1"\n')
    in_haste = Timeouts(connect=0.2)
    async with calling(report, timeouts=in_haste) as (client, server), AsyncExitStack() as stalled:
        for _ in range(REPORTS_AT_ONCE):
            await stalled.enter_async_context(client.open_report("Outbox", is_handed_on=True))
        async with client.open_report("Outbox") as table:
            assert [row async for row in table] == [["Sent", "1"]]
        with pytest.raises(Unreachable, match="2 reports are being read already"):
            async with client.open_report("Outbox", is_handed_on=True):
                pass
        await stalled.aclose()
        async with client.open_report("Outbox", is_handed_on=True) as table:
            assert [row async for row in table] == [["Sent", "1"]]

    assert len(server.bodies) == REPORTS_AT_ONCE + 2
