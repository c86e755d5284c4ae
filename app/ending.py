"""How a process stops or restarts: the signals that ask for it, and the time limit."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import structlog

# All mean the same, however often they are sent: an orderly stop within seconds.
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
# The same, but then the process starts again, and its sockets stay open.
RESTART_SIGNAL = signal.SIGUSR2
# In case the network, a disk or our own code hangs. Everything acknowledged is on disk.
MOST_SECONDS = 10.5
LAST_LINE_SECONDS = 0.2

log = structlog.get_logger("letterbox")


Handler = Callable[[int, FrameType | None], None]


class End:
    """What the signals have requested so far."""

    def __init__(self) -> None:
        self.has_come = False
        self.restarts = False

    def note(self, number: int) -> None:
        """A stop wins over a restart, whichever comes first."""
        self.restarts = number == RESTART_SIGNAL and self.restarts == self.has_come
        self.has_come = True


@contextlib.contextmanager
def catching_end(handler: Handler, end: End, *, can_restart: bool = False) -> Iterator[None]:
    """Let the signals call `handler`, in the main thread, during the block; it tells `end`.

    If the process is stopping at the end of the block, they are ignored from then on: a repeated
    one must not kill the process on its last steps.
    """
    # Under nohup the process should outlive the terminal.
    ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    caught = [each for each in END_SIGNALS if each != signal.SIGHUP or not ignores_hangup]
    before = {number: signal.signal(number, handler) for number in caught}
    if can_restart:
        signal.signal(RESTART_SIGNAL, handler)
    try:
        yield
    finally:
        if can_restart:
            signal.signal(RESTART_SIGNAL, signal.SIG_IGN)
        is_stopping = end.has_come and not end.restarts
        for number, former in before.items():
            signal.signal(number, signal.SIG_IGN if is_stopping else former)


def limit_end(last_resort: Callable[[], object] = lambda: None) -> None:
    """From now on this process has MOST_SECONDS to end by itself.

    `last_resort` is called then; if it returns, the process is ended.
    """
    timer = threading.Timer(MOST_SECONDS, _end_by_force, [last_resort])
    timer.daemon = True
    timer.start()


def _end_by_force(last_resort: Callable[[], object]) -> None:
    # In its own thread, because writing the log may hang too.
    telling = threading.Thread(target=log.error, args=("ended_by_force",), daemon=True)
    telling.start()
    telling.join(LAST_LINE_SECONDS)
    try:
        last_resort()
    finally:
        os._exit(1)
