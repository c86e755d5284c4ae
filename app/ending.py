"""How a process ends: the signals that ask it to, and the longest that it may take."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import structlog

# All mean the same, however often they come: an end that loses nothing and takes seconds.
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
# Whatever hangs, the network, a disk or our own code. All that was acknowledged is on disk.
MOST_SECONDS = 10.5
LAST_LINE_SECONDS = 0.2

log = structlog.get_logger("letterbox")


Handler = Callable[[int, FrameType | None], None]


@contextlib.contextmanager
def catching_end(handler: Handler) -> Iterator[None]:
    """Have the signals call `handler`, in the main thread, for the length of the block."""
    # Who starts us with nohup wants us to outlive the terminal.
    ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    caught = [each for each in END_SIGNALS if each != signal.SIGHUP or not ignores_hangup]
    before = {number: signal.signal(number, handler) for number in caught}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def limit_end() -> None:
    """From now on this process has MOST_SECONDS to end by itself."""
    timer = threading.Timer(MOST_SECONDS, _end_by_force)
    timer.daemon = True
    timer.start()


def _end_by_force() -> None:
    # In a thread of its own: who reads the log may hang, too.
    telling = threading.Thread(target=log.error, args=("ended_by_force",), daemon=True)
    telling.start()
    telling.join(LAST_LINE_SECONDS)
    os._exit(1)
