"""The pace limit: how many messages a second may leave."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """A bucket that holds one message and is refilled `per_second` times a second.

    So messages leave evenly, and no second sees more than `per_second` and one. A call that
    carries many messages leaves at once, and those behind it wait for all of them.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not per_second > 0:
            raise ValueError("per_second must be above 0")
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock()

    async def take(self, messages: int = 1) -> None:
        """Wait until these messages may leave, in the order of asking."""
        now = self._clock()
        start = max(now, self._free_at)
        # Nothing is awaited between reading and writing, so no two tasks get one place.
        self._free_at = start + messages * self._interval
        if start > now:
            await self._sleep(start - now)
