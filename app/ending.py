"""How a process stops: the signals that ask for it, and the time limit."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import structlog

# All mean the same, however often they come: an orderly stop within seconds.
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
# In case the network, a disk or our own code hangs. Everything acknowledged is on disk.
MOST_SECONDS = 10.5
LAST_LINE_SECONDS = 0.2

log = structlog.get_logger("letterbox")


Handler = Callable[[int, FrameType | None], None]


@contextlib.contextmanager
def catching_end(handler: Handler, *, has_come: Callable[[], bool]) -> Iterator[None]:
    """Let the signals call `handler`, in the main thread, during the block.

    If `has_come` says at its end that one of them did, they are ignored from then on: a repeated
    one must not kill the process on its last steps.
    """
    # Under nohup the process should outlive the terminal.
    ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    caught = [each for each in END_SIGNALS if each != signal.SIGHUP or not ignores_hangup]
    before = {number: signal.signal(number, handler) for number in caught}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, signal.SIG_IGN if has_come() else former)


def limit_end() -> None:
    """From now on this process has MOST_SECONDS to end by itself."""
    timer = threading.Timer(MOST_SECONDS, _end_by_force)
    timer.daemon = True
    timer.start()


def _end_by_force() -> None:
    # In its own thread, because writing the log may hang too.
    telling = threading.Thread(target=log.error, args=("ended_by_force",), daemon=True)
    telling.start()
    telling.join(LAST_LINE_SECONDS)
    os._exit(1)
