"""Starts `letterbox` without importing it each time: forks of one process that has it imported.

To import it takes a processor a second or two, which was most of what tests with real processes
cost. Each fork is a process in every other respect: its own pid, session, environment, folder and
output, and it ends as the command does. So is each web process that a fork starts as supervisor.
"""

import atexit
import contextlib
import gc
import importlib
import json
import multiprocessing.util
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import types
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import values

ROOT = Path(__file__).parents[2]
LETTERBOX = Path(sys.executable).with_name("letterbox")
# What the commands that run for long import when they are called.
PARTS = (
    "cli.operations.doctor",
    "cli.process.demo",
    "cli.process.web",
    "cli.process.simulate",
    "storage.db.migrate",
    "worker",
)
# Far more than an order is.
MOST_BYTES = 1 << 20
_threading: Any = threading
_spawning: Any = multiprocessing.util
_spawn = _spawning.spawnv_passfds
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)


class Forked:
    """A process of the starter, with as much of Popen's interface as the tests use."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, ended)

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(deadline - time.monotonic(), 0)
            status = self._look(left)
            if status is not None:
                return status
            if left == 0:
                raise subprocess.TimeoutExpired([str(LETTERBOX)], timeout or 0)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], seconds)[0]:
            with self._lock:
                if self.returncode is None:
                    # Nothing can be read if the starter itself has gone.
                    self.returncode = int(os.read(self._ended, 16) or b"-9")
        return self.returncode


class Starter:
    """The process that forks, and how it is told to."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # It ends when this process does, and the socket with it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._lock = threading.Lock()

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
    ) -> Forked:
        """`letterbox` with these arguments in that folder; it has no input."""
        ignored = [each for each in END_SIGNALS if signal.getsignal(each) is signal.SIG_IGN]
        order = [*arguments], os.fspath(folder), dict(environment), ignored
        ended, told = os.pipe()
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(order).encode()], [stdout, stderr, told])
            os.close(told)
            return Forked(int(self._socket.recv(16)), ended)


@cache
def share_starter() -> Starter:
    """One for all tests of this process."""
    return Starter()


def _serve_orders(orders: socket.socket) -> None:
    """Fork for each order; only forks return, as what was ordered."""
    told: dict[int, int] = {}
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([orders.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_of_ends(told)
        if orders.fileno() not in ready:
            continue
        content, descriptors, _, _ = socket.recv_fds(orders, MOST_BYTES, 3)
        if not content:
            sys.exit()
        stdout, stderr, tell = descriptors
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            orders.detach()
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            return _become(*json.loads(content))
        told[pid] = tell
        os.close(stdout)
        os.close(stderr)
        orders.send(b"%d" % pid)


def _tell_of_ends(told: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            tell = told.pop(ended[0])
            # Nobody may be waiting for it any more.
            with contextlib.suppress(BrokenPipeError):
                os.write(tell, b"%d" % os.waitstatus_to_exitcode(ended[1]))
            os.close(tell)


def _become(
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    ignored: list[int],
) -> None:
    os.setsid()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [str(LETTERBOX), *arguments]
    # A restart becomes the command from its file.
    sys.orig_argv = [sys.executable, *sys.argv]
    # What it spawns imports the main module: that of the command.
    main: Any = types.ModuleType("__main__")
    main.__file__ = str(LETTERBOX)
    sys.modules["__main__"] = main


def _spawn_by_fork(program: bytes, command: Sequence[Any], passed: Sequence[int]) -> int:
    """What multiprocessing calls to spawn a process, but that it has nothing to import."""
    if command[-1] != "--multiprocessing-fork":
        return int(_spawn(program, command, passed))
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        for descriptor in (int(each.name) for each in Path("/proc/self/fd").iterdir()):
            if descriptor not in {0, 1, 2, *passed}:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        # The environment has a say in it when it is imported.
        importlib.reload(values)
        sys.argv = ["-c", command[-1]]
        status: Any = 1
        try:
            exec(command[-2])
        except SystemExit as ended:
            status = ended.code or 0
        except BaseException:  # noqa: BLE001 as an interpreter does
            traceback.print_exc()
        os._exit(status)
    return pid


def _run() -> None:
    from app.cli import main  # noqa: PLC0415 only the starter imports it

    for part in PARTS:
        importlib.import_module(f"app.{part}")
    _spawning.spawnv_passfds = _spawn_by_fork
    # Nothing of it changes: left alone by the collector, its pages stay shared.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        _serve_orders(orders)
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        _end(ended.code or 0)
    _end(0)


def _end(status: int) -> None:
    """As the interpreter does, but that it takes nothing apart: that is much, and all copied."""
    _threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _run()
