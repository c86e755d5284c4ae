"""Limits connections and requests, so that strangers cannot hold up a forward."""

import asyncio
import resource
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Protocol

import structlog

# Files needed for other things: databases, spool, calls to the provider and to webhooks.
SPARE_FILES = 256
MOST_CONNECTIONS = 60_000
# Requests other than forwards that compute at once: each may block the event loop for some
# milliseconds per step, and a forward needs it several times.
RUNNING = 3
# While a forward is on its way, another request begins only so often.
PAUSE_SECONDS = 0.01
# A request that takes longer is probably waiting, or is a stream.
COMPUTES_SECONDS = 0.25
WAITING = 500

log = structlog.get_logger("letterbox.connections")


class Connection(Protocol):
    """A connection, as it is counted here."""

    is_trusted: bool
    """Whether an accepted forward came on it."""
    waits_in: "dict[Connection, None]"

    def evict(self) -> None:
        """Close it to make room for others."""


class Connections:
    """Knows which connections wait for their caller, and closes the oldest when there is no room.

    Connections with an accepted forward are closed last: they are probably the provider's.
    """

    def __init__(
        self, limit: int | None = None, *, is_receiving: Callable[[], bool] = lambda: False
    ) -> None:
        """`is_receiving` says whether a forward waits for its answer."""
        self.limit = find_limit() if limit is None else limit
        self.turnstile = Turnstile(is_receiving)
        # A line of its own: behind strangers it would be told too late, or that all is busy.
        self.probing = Turnstile(running=1)
        self.is_full = False
        self._open: set[Connection] = set()
        # In the order in which they began waiting.
        self._idle: dict[Connection, None] = {}
        self._reading: dict[Connection, None] = {}
        self._trusted: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> bool:
        """Returns False if there is no room because all others are being answered."""
        self._open.add(connection)
        if len(self._open) <= self.limit:
            return True
        if not self.is_full:
            self.is_full = True
            log.warning("connections_used_up", limit=self.limit)
        for waiting in (self._idle, self._reading, self._trusted):
            if waiting:
                oldest = next(iter(waiting))
                self.discard(oldest)
                oldest.evict()
                return True
        return False

    def discard(self, connection: Connection) -> None:
        self._open.discard(connection)
        self.engage(connection)
        if self.is_full and len(self._open) < self.limit * 0.9:
            self.is_full = False

    def wait(self, connection: Connection, *, is_reading: bool) -> None:
        """It waits for its caller: for a request or the rest of one."""
        line = self._idle
        if is_reading:
            line = self._reading
        elif connection.is_trusted:
            line = self._trusted
        connection.waits_in.pop(connection, None)
        connection.waits_in = line
        line[connection] = None

    def engage(self, connection: Connection) -> None:
        """It no longer waits: its request is being answered."""
        connection.waits_in.pop(connection, None)


class Turnstile:
    """Lets a few requests compute at once; the others queue or are refused.

    Whatever computes delays a forward more than once: it needs several turns of the event loop, and
    SQLite's threads need Python's lock after each of their calls. So while a forward waits for its
    answer, requests begin one by one.
    """

    def __init__(
        self,
        is_receiving: Callable[[], bool] = lambda: False,
        *,
        running: int = RUNNING,
        waiting: int = WAITING,
    ) -> None:
        self._is_receiving = is_receiving
        self._free = running
        self._most_waiting = waiting
        self._line: deque[Callable[[], bool]] = deque()
        self._began_at = -PAUSE_SECONDS
        self._pausing: asyncio.TimerHandle | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the queue is full."""
        return len(self._line) >= self._most_waiting

    def enter(self, begin: Callable[[], bool]) -> None:
        """Call `begin` now or when its turn comes; it returns whether anything began."""
        self._line.append(begin)
        self._let_in()

    def make_exit(self) -> Callable[[], None]:
        """The function to call, once or more often, when the request no longer computes."""
        has_left = False

        def leave() -> None:
            nonlocal has_left
            if not has_left:
                has_left = True
                self._free += 1
                self._let_in()

        return leave

    def _let_in(self) -> None:
        while self._free and self._line and not self._must_pause():
            if self._line.popleft()():
                self._free -= 1
                self._began_at = monotonic()

    def _must_pause(self) -> bool:
        if self._pausing is not None:
            return True
        left = self._began_at + PAUSE_SECONDS - monotonic()
        if left <= 0 or not self._is_receiving():
            return False
        self._pausing = asyncio.get_running_loop().call_later(left, self._go_on)
        return True

    def _go_on(self) -> None:
        self._pausing = None
        self._let_in()


def find_limit() -> int:
    """How many connections the limit on open files allows."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(max(files - SPARE_FILES, files // 2), MOST_CONNECTIONS)
