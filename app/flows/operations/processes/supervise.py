"""Keeps loops running: a turn that fails or hangs is logged, shown and followed by the next."""

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Never

import structlog

from app.domain.errors import Conflict, Unavailable
from app.domain.provider_errors import ProviderError
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import close_alert, list_quiet_subjects, raise_alert

# The pause after a failure; it doubles with each further one, up to the limit.
RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 30.0
# Longer than any turn that does not hang. A longer turn reports its progress.
PATIENCE_SECONDS = 120.0
# A turn that goes on this long after it was cancelled cannot be stopped.
STUCK_SECONDS = 30.0
# An unavailable database has its own alert; this is for a database that refuses a single loop.
AWAY_SECONDS = 60.0
WATCH_SECONDS = 5.0
# How often an alert is renewed; it closes when its process is gone.
RENEWED_EVERY_SECONDS = 60.0
GONE_AFTER = timedelta(minutes=5)

FAILING = "loop-failing"

log = structlog.get_logger("letterbox.loops")


class HangingError(Exception):
    """A turn made no progress for too long."""


class Work(ABC):
    """What a loop does repeatedly, with a rest after each turn."""

    rest_seconds: float = 0.0

    @abstractmethod
    async def turn(self) -> None:
        """Do what is due. May raise anything."""

    async def rest(self) -> None:
        """Wait until the next turn."""
        await asyncio.sleep(self.rest_seconds)

    async def end(self) -> None:  # noqa: B027 most loops have nothing to finish
        """Finish work in progress, when the loop is cancelled."""


@dataclass
class Chore(Work):
    """A step to take at a fixed interval."""

    step: Callable[[], Awaitable[object]]
    rest_seconds: float = 0.0

    async def turn(self) -> None:
        await self.step()


@dataclass
class Loop:
    """The state of one loop. Its times are from the monotonic clock."""

    name: str
    patience_seconds: float
    seconds: Callable[[], float]
    failures: int = 0
    error: str = ""
    _away_since: float | None = None
    _alive_at: float | None = None
    _limit: asyncio.Timeout | None = None

    def progress(self) -> None:
        """A long turn has made progress, so its time limit starts again."""
        self._alive_at = self.seconds()
        if self._limit is not None and not self._limit.expired():
            now = asyncio.get_running_loop().time()
            self._limit.reschedule(now + self.patience_seconds)

    async def take_turn(self, work: Work) -> None:
        """Raises HangingError if the turn hangs, and whatever the turn raises."""
        self._alive_at = self.seconds()
        limit = self._limit = asyncio.timeout(self.patience_seconds)
        try:
            async with limit:
                await work.turn()
        except TimeoutError:
            if not limit.expired():
                raise
            text = f"a turn made no progress for {self.patience_seconds:.0f} seconds"
            raise HangingError(text) from None
        finally:
            self._limit = self._alive_at = None
        self.recover()

    def recover(self) -> None:
        """The loop works again."""
        self.failures, self.error, self._away_since = 0, "", None

    def fail(self, error: BaseException) -> float:
        """Note a failure; returns in how many seconds to try again."""
        self.failures += 1
        self.error = _describe(error)
        self._away_since = None
        return float(min(RETRY_SECONDS * 2 ** min(self.failures - 1, 10), MAX_RETRY_SECONDS))

    def wait_for_database(self, error: Unavailable) -> float:
        """The same if the database was unavailable."""
        if self._away_since is None:
            self._away_since = self.seconds()
        self.failures, self.error = 0, _describe(error)
        return RETRY_SECONDS

    def find_trouble(self) -> str:
        """What is wrong with it, or ""."""
        now = self.seconds()
        late = 0.0 if self._alive_at is None else now - self._alive_at
        if late > self.patience_seconds + STUCK_SECONDS:
            return f"it has made no progress for {late:.0f} seconds"
        if self.failures:
            return f"it failed ({self.failures} in a row): {self.error}"
        if self._away_since is not None and now - self._away_since > AWAY_SECONDS:
            return f"the database has refused it for {now - self._away_since:.0f} s: {self.error}"
        return ""


@dataclass
class Loops:
    """The loops of a process, by name."""

    seconds: Callable[[], float] = time.monotonic
    known: dict[str, Loop] = field(default_factory=dict)

    async def keep_turning(
        self,
        name: str,
        make_work: Callable[[Loop], Work],
        *,
        patience_seconds: float | None = None,
    ) -> Never:
        """Run turns until cancelled, whatever is raised.

        The work is created inside, so that a failure to begin is retried like any other.
        """
        patience = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        loop = self.known[name] = Loop(name, patience, self.seconds)
        work: Work | None = None
        try:
            # A turn may have swallowed the loop's cancellation.
            while not _is_being_cancelled():
                try:
                    work = work or make_work(loop)
                    await _turn_and_rest(loop, work)
                    continue
                except Unavailable as error:
                    log.debug("turn_later", loop=name, error=str(error))
                    pause = loop.wait_for_database(error)
                except asyncio.CancelledError as error:
                    if _is_being_cancelled():
                        raise
                    # Something that the turn awaited was cancelled, not the loop.
                    pause = _note_failure(loop, error)
                except Exception as error:  # noqa: BLE001 no failure may end a loop
                    pause = _note_failure(loop, error)
                await asyncio.sleep(pause)
            raise asyncio.CancelledError
        finally:
            del self.known[name]
            if work is not None:
                await work.end()

    def find_troubles(self) -> dict[str, str]:
        """What is wrong with each loop, or ""."""
        return {name: loop.find_trouble() for name, loop in sorted(self.known.items())}


@dataclass
class LoopAlerts(Work):
    """Keeps an alert open for each failing loop of this process; `place` names the process."""

    loops: Loops
    database: Database
    place: str
    now: Callable[[], datetime]
    on_change: Callable[[], None]
    _told: dict[str, float] = field(default_factory=dict)
    _reached: bool = False

    @property
    def rest_seconds(self) -> float:  # type: ignore[override]
        return WATCH_SECONDS

    async def turn(self) -> None:
        seconds, now = self.loops.seconds(), self.now()
        troubles = {name: found for name, found in self.loops.find_troubles().items() if found}
        over = [name for name in self._told if name not in troubles]
        # At the first check after an outage no alert is raised, because no loop has run yet.
        due = [name for name in troubles if self._reached and self._is_due(name, seconds)]
        self._reached = False
        gone = await self.database.read(list_quiet_subjects, FAILING, before=now - GONE_AFTER)
        if over or due or gone:
            found = {name: troubles[name] for name in due}
            await self.database.write(self._tell, found, [*map(self._name, over), *gone], now)
            self.on_change()
        self._reached = True
        self._told = {name: told for name, told in self._told.items() if name in troubles}
        self._told |= dict.fromkeys(due, seconds)

    def _is_due(self, name: str, seconds: float) -> bool:
        return seconds - self._told.get(name, -math.inf) >= RENEWED_EVERY_SECONDS

    def _tell(
        self, conn: Connection, troubles: Mapping[str, str], over: Sequence[str], now: datetime
    ) -> None:
        for subject in over:
            close_alert(conn, FAILING, subject, now=now)
        for name, trouble in troubles.items():
            raise_alert(
                conn,
                FAILING,
                self._name(name),
                text=f"A part of the service does not work: {trouble}",
                action="Letterbox keeps retrying. If that does not help, look for"
                f' "turn_failed" with loop={name} in the log of this process, and restart it.',
                now=now,
            )

    def _name(self, name: str) -> str:
        return f"{name} on {self.place}"


async def _turn_and_rest(loop: Loop, work: Work) -> None:
    try:
        await loop.take_turn(work)
    except (ProviderError, Conflict) as error:
        # The caller raises an alert if a person should know, or another process does the work.
        log.warning("turn_refused", loop=loop.name, error=str(error))
        loop.recover()
    await work.rest()


def _note_failure(loop: Loop, error: BaseException) -> float:
    pause = loop.fail(error)
    log.error("turn_failed", loop=loop.name, failures=loop.failures, exc_info=error)
    return pause


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _describe(error: BaseException) -> str:
    """The part that anybody may see: the text of an unexpected error may quote a person."""
    if isinstance(error, Unavailable | HangingError):
        return str(error)
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return f"{type(error).__name__} {state or ''}".rstrip()
