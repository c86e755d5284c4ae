"""Runs several web processes, replaces those that die, and stops all of them together."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess

import structlog
from uvicorn.config import STARTUP_FAILURE

from app.ending import MOST_SECONDS, RESTART_SIGNAL, End, catching_end

LOOK_SECONDS = 0.1
# A process that dies sooner than this after its start may do so again, so each replacement waits
# longer.
QUICK_SECONDS = 10.0
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
# Longer than a process may take to stop.
KILL_SECONDS = MOST_SECONDS + 0.3

log = structlog.get_logger("letterbox")


@dataclass
class _Place:
    """One of the processes, or its replacement."""

    process: SpawnProcess
    started_at: float
    wait_seconds: float = FIRST_WAIT_SECONDS
    replace_at: float | None = None


class Supervisor:
    """`start` begins one process; `on_death` is called with the pid of each unexpected death.

    `on_stop` is called when all are about to be stopped for good.
    """

    def __init__(
        self,
        start: Callable[[], SpawnProcess],
        count: int,
        *,
        on_death: Callable[[int], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._start = start
        self._count = count
        self._on_death = on_death
        self._on_stop = on_stop
        self._places: list[_Place] = []
        self.end = End()

    def run(self) -> bool:
        """Run until a signal; returns False if a process found that none can run.

        No process outlives this one: if it is killed, they notice.
        """
        with catching_end(lambda number, _: self.end.note(number), self.end, can_restart=True):
            try:
                for _ in range(self._count):
                    self._places.append(_Place(self._start(), time.monotonic()))
                while not self.end.has_come:
                    time.sleep(LOOK_SECONDS)
                    if any(each.process.exitcode == STARTUP_FAILURE for each in self._places):
                        return False
                    for place in self._places:
                        self._replace_dead(place)
            finally:
                self._end_all()
        return True

    def _replace_dead(self, place: _Place) -> None:
        now = time.monotonic()
        if place.process.exitcode is None:
            return
        if place.replace_at is None:
            process = place.process
            log.warning("process_died", pid=process.pid, exit_code=process.exitcode)
            self._on_death(process.pid or 0)
            if now - place.started_at > QUICK_SECONDS:
                place.wait_seconds = FIRST_WAIT_SECONDS
            place.replace_at = now + place.wait_seconds
            place.wait_seconds = min(2 * place.wait_seconds, LONGEST_WAIT_SECONDS)
        elif now >= place.replace_at:
            place.process, place.started_at, place.replace_at = self._start(), now, None

    def _end_all(self) -> None:
        if self.end.restarts:
            number = RESTART_SIGNAL
        else:
            number = signal.SIGTERM
            self._on_stop()
        processes = [place.process for place in self._places]
        for process in processes:
            if process.exitcode is None:
                os.kill(process.pid or 0, number)
        kill_at = time.monotonic() + KILL_SECONDS
        for process in processes:
            process.join(max(kill_at - time.monotonic(), 0))
            if process.exitcode is None:
                log.error("process_killed", pid=process.pid, reason="it did not stop in time")
                process.kill()
                process.join(1)
