"""The simulated clock: faster, stopped, moved forward, and those who wait for it."""

import asyncio
from datetime import timedelta

import pytest

from app.simulator.state.clock import SimulatorClock
from tests.simulator.play import START


class Stopwatch:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def clock(stopwatch: Stopwatch) -> SimulatorClock:
    return SimulatorClock(START, seconds=stopwatch)


def test_clock_runs_like_the_one_beneath_it(clock: SimulatorClock, stopwatch: Stopwatch) -> None:
    assert clock.now() == START
    stopwatch.seconds += 7
    assert clock.now() == START + timedelta(seconds=7)


def test_changed_speed_counts_from_the_change_on(
    clock: SimulatorClock, stopwatch: Stopwatch
) -> None:
    stopwatch.seconds += 10
    clock.set_speed(60)
    stopwatch.seconds += 1
    clock.set_speed(0)
    stopwatch.seconds += 1000
    assert clock.now() == START + timedelta(seconds=70)


def test_clock_jumps_forward_only(clock: SimulatorClock) -> None:
    clock.advance(3600)
    clock.move_to(START + timedelta(hours=2))
    assert clock.now() == START + timedelta(hours=2)
    with pytest.raises(ValueError, match="only goes forward"):
        clock.move_to(START)
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="negative"):
        clock.set_speed(-1)


async def test_who_waits_is_woken_by_a_jump(clock: SimulatorClock) -> None:
    waiting = asyncio.create_task(clock.wait_until(START + timedelta(hours=1)))
    await asyncio.sleep(0)
    clock.advance(1800)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    clock.advance(1800)
    async with asyncio.timeout(20):
        await waiting


async def test_who_waits_is_woken_sooner_by_speed() -> None:
    clock = SimulatorClock(START, speed=0)
    waiting = asyncio.create_task(clock.wait_until(START + timedelta(hours=1)))
    await asyncio.sleep(0.01)
    clock.set_speed(360_000)
    async with asyncio.timeout(20):
        await waiting


async def test_instant_that_has_passed_is_not_waited_for(clock: SimulatorClock) -> None:
    async with asyncio.timeout(20):
        await clock.wait_until(START)
