"""The simulator's own time, which can be sped up, stopped and moved forward."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class SimulatorClock:
    """A time that runs `speed` times as fast as real time.

    Everything the simulated provider does later (statuses, schedules, background sends, retried
    forwards) follows this clock, so a test can let a day pass in a moment. Faults that are about
    the wire (slow answers, silence) take real seconds: the caller's timeouts are real too.
    """

    def __init__(
        self, start: datetime, seconds: Callable[[], float] = time.monotonic, speed: float = 1.0
    ) -> None:
        self._seconds = seconds
        self._base_at = start
        self._base_seconds = seconds()
        self._speed = speed
        self._changed = asyncio.Event()

    @property
    def speed(self) -> float:
        """How many of its seconds pass in one real second; 0 if it is stopped."""
        return self._speed

    def now(self) -> datetime:
        passed = (self._seconds() - self._base_seconds) * self._speed
        return self._base_at + timedelta(seconds=passed)

    def set_speed(self, speed: float) -> None:
        """Run faster or slower from here on; 0 stops the clock.

        Raises ValueError for a negative speed: nothing here can be undone by going back.
        """
        if speed < 0:
            raise ValueError("the speed cannot be negative")
        self._rebase(self.now())
        self._speed = speed

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._rebase(self.now() + timedelta(seconds=seconds))

    def move_to(self, instant: datetime) -> None:
        if instant < self.now():
            raise ValueError("the clock only goes forward")
        self._rebase(instant)

    async def wait_until(self, instant: datetime) -> None:
        """Sleep until the simulated instant, even if the clock is changed meanwhile."""
        while (missing := (instant - self.now()).total_seconds()) > 0:
            pause = missing / self._speed if self._speed else None
            changed = self._changed
            try:
                async with asyncio.timeout(pause):
                    await changed.wait()
            except TimeoutError:
                continue

    def _rebase(self, instant: datetime) -> None:
        self._base_at = instant.astimezone(UTC)
        self._base_seconds = self._seconds()
        self._changed.set()
        self._changed = asyncio.Event()


def start_clock(speed: float = 1.0) -> SimulatorClock:
    return SimulatorClock(datetime.now(UTC), speed=speed)
