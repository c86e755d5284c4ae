"""Keeps one time for all processes of a database, the database's, and reports wrong clocks."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from app.storage.db.clock import read_clock
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import close_alert, close_quiet_alerts, raise_alert
from app.storage.operations.stamps import clamp_stamps, has_gone_back

# How often the clocks are compared. What is stored before a change is noticed has a wrong time.
LOOK_SECONDS = 2.0
# NTP keeps clocks within milliseconds; a larger difference means one was set or is drifting.
TOLERANCE = timedelta(seconds=5)
# A slower answer is too inaccurate.
SLOWEST_SECONDS = 1.0
TOLD_EVERY_SECONDS = 60.0
# A clock that has stopped, or runs too slowly or too fast, is only off by a little at each check,
# so the differences over this period are added up.
DRIFT_SECONDS = 60.0
STEP_ALERT_ENDS_AFTER = timedelta(hours=1)

SKEW_ALERT = "clock-skew"
STEP_ALERT = "clock-step"

log = structlog.get_logger("letterbox.clock")


def utc_now() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)


def read_boot_seconds() -> float:
    """A clock that cannot be set and, if possible, keeps running while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass
class Clock:
    """The time that all processes of a database share, whatever this machine's clock is set to.

    Until that is known, and always with SQLite, it is this machine's time.
    """

    wall: Callable[[], datetime] = utc_now
    seconds: Callable[[], float] = read_boot_seconds
    _known: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        if self._known is None:
            return self.wall()
        at, seconds = self._known
        return at + timedelta(seconds=self.seconds() - seconds)

    def set(self, at: datetime, seconds: float) -> None:
        """The time was `at` when the monotonic clock showed `seconds`."""
        self._known = at, seconds


@dataclass
class TimeKeeper:
    """One per process; `host` names its machine in alerts."""

    database: Database
    clock: Clock
    host: str
    on_change: Callable[[], None]
    _expected: tuple[datetime, float] | None = None
    _anchor: tuple[datetime, float] | None = None
    _drift: str = ""
    _skew: timedelta = timedelta()
    _told: bool = False
    _tells_at: float = 0.0

    @property
    def trouble(self) -> str:
        """What is wrong with this machine's clock, or ""."""
        if abs(self._skew) <= TOLERANCE:
            return self._drift and f"the clock of {self._owner} {self._drift}"
        return f"the clock of {self.host} is {_describe(self._skew)} the database's"

    @property
    def _owner(self) -> str:
        """Whose clock all processes use."""
        return self.host if self.database.dialect == "sqlite" else "the database's server"

    async def look(self) -> None:
        """Compare the clocks, and correct what a wrong one has left. Raises Unavailable."""
        measured = await self._measure()
        if measured is None:
            return
        now, seconds, blur = measured
        step = timedelta()
        is_first = self._expected is None
        if self._expected is not None:
            at, then = self._expected
            step = now - (at + timedelta(seconds=seconds - then))
        drift = self._find_drift(now, seconds)
        # A difference within the measuring error changes nothing, so that time runs evenly.
        if is_first or abs(step) > blur:
            self._expected = now, seconds
            if self.database.dialect == "postgresql":
                self.clock.set(now, seconds)
        if is_first:
            went_back = await self.database.read(has_gone_back, now)
        else:
            went_back = min(step, drift) < -TOLERANCE
        if went_back:
            await self.database.write(clamp_stamps, now)
        words = self._drift if abs(drift) > TOLERANCE else ""
        if abs(step) > TOLERANCE:
            words = f"was set {_describe(step, 'forward', 'back')}"
        if words or went_back:
            log.warning("clock_set", by_seconds=round((step or drift).total_seconds(), 1))
        await self._tell(now, words, went_back=went_back)

    def _find_drift(self, now: datetime, seconds: float) -> timedelta:
        """By how much the time has drifted recently, in many small steps or in one."""
        at, then = self._anchor = self._anchor or (now, seconds)
        passed = seconds - then
        drift = now - (at + timedelta(seconds=passed))
        if abs(drift) > TOLERANCE:
            way = _describe(drift, "too fast", "too slow")
            self._drift = f"is drifting: within {passed:.0f} seconds it ran {way}"
            self._anchor = now, seconds
        elif passed > DRIFT_SECONDS:
            self._drift = ""
            self._anchor = now, seconds
        return drift

    async def _measure(self) -> tuple[datetime, float, timedelta] | None:
        """The shared time, when it was measured, and the measuring error."""
        if self.database.dialect != "postgresql":
            return self.clock.wall(), self.clock.seconds(), timedelta(milliseconds=1)
        began = self.clock.seconds()
        now = await self.database.read(read_clock)
        wall, took = self.clock.wall(), self.clock.seconds() - began
        if took > SLOWEST_SECONDS and self._expected is not None:
            return None
        self._skew = wall - timedelta(seconds=took / 2) - now
        # Taken at the end of the answer, so that nothing is stamped later than the database's time.
        return now, began + took, timedelta(seconds=took)

    async def _tell(self, now: datetime, words: str, *, went_back: bool) -> None:
        is_news = bool(words) or bool(self.trouble) != self._told
        if is_news or self.clock.seconds() >= self._tells_at:
            await self.database.write(self._write_alerts, now, words)
            self._told = bool(self.trouble)
            self._tells_at = self.clock.seconds() + TOLD_EVERY_SECONDS
        if is_news or went_back:
            self.on_change()

    def _write_alerts(self, conn: Connection, now: datetime, words: str) -> None:
        if words:
            raise_alert(
                conn,
                STEP_ALERT,
                self._owner,
                text=f"The clock of {self._owner} {words}.",
                action="Find out what set it, and have NTP keep it right: times stored before this"
                " are wrong by as much.",
                now=now,
            )
        else:
            close_quiet_alerts(conn, STEP_ALERT, before=now - STEP_ALERT_ENDS_AFTER, now=now)
        if abs(self._skew) > TOLERANCE:
            raise_alert(
                conn,
                SKEW_ALERT,
                self.host,
                text=f"{self.trouble[0].upper()}{self.trouble[1:]}.",
                action="Have NTP keep both machines' clocks right. Letterbox uses the database's.",
                count=0,
                now=now,
            )
        else:
            close_alert(conn, SKEW_ALERT, self.host, now=now)


def _describe(by: timedelta, more: str = "ahead of", less: str = "behind") -> str:
    seconds = abs(by.total_seconds())
    length = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return f"{length} {more if by > timedelta() else less}"
