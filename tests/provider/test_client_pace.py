"""The pace limit and the bound on calls at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from app.domain.errors import Unreachable
from app.provider.actions import OutgoingText
from app.provider.client import ProviderClient
from app.provider.exchange import REPORTS_AT_ONCE, Timeouts
from app.provider.pace import Pace
from tests.support.provider import calling
from tests.support.wire_server import answer, wait

HELLO = OutgoingText("API", "Hello")
ONE, TWO = "447700900001", "447700900002"


class _Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


def _make_pace(per_second: float) -> tuple[Pace, _Clock]:
    clock = _Clock()
    return Pace(per_second, clock=clock, sleep=clock.sleep), clock


async def test_messages_leave_evenly() -> None:
    pace, clock = _make_pace(10)
    for _ in range(4):
        await pace.take()

    assert clock.slept == [0.1, 0.1, 0.1]


async def test_idle_time_is_not_saved_up() -> None:
    pace, clock = _make_pace(10)
    await pace.take()
    clock.now += 60
    await pace.take()
    await pace.take()

    assert clock.slept == [0.1]


async def test_call_with_many_messages_delays_the_next_by_all_of_them() -> None:
    pace, clock = _make_pace(10)
    await pace.take(25)
    await pace.take()

    assert clock.slept == [2.5]


async def test_those_who_wait_at_once_get_places_one_after_the_other() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    pace = Pace(2, clock=lambda: 0.0, sleep=sleep)
    await asyncio.gather(*(pace.take() for _ in range(4)))

    assert slept == [0.5, 1.0, 1.5]


@pytest.mark.parametrize("per_second", [0, -1, float("nan")])
def test_pace_is_above_nothing(per_second: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pace(per_second)


SENDS: dict[str, tuple[Callable[[ProviderClient], Awaitable[object]], str, list[float]]] = {
    "one": (lambda c: c.send(HELLO, ONE), "1", [1.0]),
    "many": (lambda c: c.send_many(HELLO, [ONE, TWO]), "1,2", [2.0]),
    "list": (lambda c: c.send_to_list(HELLO, "L"), "1", [1.0]),
    "group": (lambda c: c.send_to_group(HELLO, "G"), "1", [1.0]),
    "no message": (lambda c: c.delete_all_groups(), "1", []),
}


@pytest.mark.parametrize("name", SENDS)
async def test_each_message_takes_its_place(name: str) -> None:
    call, body, slept = SENDS[name]
    pace, clock = _make_pace(1)
    async with calling(answer(body), pace=pace) as (client, _):
        await call(client)
        await call(client)

    assert clock.slept == slept


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
