"""Shares a process between handling and receiving: neither may starve the other.

Whoever forwards a message waits for its acknowledgement, and on SQLite for the transaction that is
open. So transactions are short while messages come, and after each turn handling rests as long as
it held others up, unless nobody is waiting by then, or receiving leaves most of that time unused:
however large the backlog, receiving keeps half of the time, and what it does not need goes to
handling.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_ROWS = 100
# Fewer cost too much each, more hold the locks of too many conversations.
LEAST_ROWS, MOST_ROWS = 20, 1000
# How long the transaction of one batch should compute: while messages come, and while none does.
# The first to come may meet one of the latter.
BUSY_SECONDS, ALONE_SECONDS = 0.010, 0.02
# On PostgreSQL nobody waits for the transaction, but for each of its steps, of which it has six.
STEPS = {"sqlite": 1, "postgresql": 6}
# How often a resting turn looks whether anybody is still waiting.
LOOK_SECONDS = 0.001
# After two looks, receiving that computes for a smaller part of the time has what it needs: those
# who wait then wait for the disk.
NEEDED = 0.25


def never() -> bool:
    """For a process that receives nothing."""
    return False


@dataclass(slots=True)
class FairShare:
    """`rows` are to be handled next. `is_used` says whether messages came a moment ago,
    `is_waiting` whether somebody waits for an acknowledgement now. `computed` is for how many
    seconds this process has computed.
    """

    dialect: str
    is_used: Callable[[], bool] = never
    is_waiting: Callable[[], bool] = never
    rows: int = FIRST_ROWS
    computed: Callable[[], float] = time.process_time

    def note(self, rows: int, seconds: float) -> None:
        """A transaction has handled so many messages and computed for so long."""
        if rows < LEAST_ROWS or not seconds:
            return  # the most of it did not depend on the number
        wanted = STEPS[self.dialect] * (BUSY_SECONDS if self.is_used() else ALONE_SECONDS)
        fitting = int(rows * wanted / seconds)
        # At most doubled, for one quick batch says little.
        self.rows = max(LEAST_ROWS, min(fitting, 2 * self.rows, MOST_ROWS))

    async def rest(self, taken: float) -> None:
        """Let receiving go on, for at most as long as a turn has held it up."""
        now = asyncio.get_running_loop().time
        began, computed = now(), self.computed()
        # Polled, because an event for each message would cost those who wait.
        while self.is_waiting() and (left := began + taken - now()) > 0:
            await asyncio.sleep(min(left, LOOK_SECONDS))
            rested = now() - began
            if rested >= 2 * LOOK_SECONDS and self.computed() - computed < NEEDED * rested:
                return
