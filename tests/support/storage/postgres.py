"""Owns a real PostgreSQL server for tests and benchmarks: its life, its databases."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import asyncpg
import psutil  # type: ignore[import-untyped]  # it ships no types

from tests.support.storage.blocking_sql import execute, fetch, quote, run_in_thread
from tests.support.storage.postgres_place import (
    PostgresUnavailableError,
    find_account,
    find_binaries,
    find_disk_folder,
    find_free_port,
    has_room,
    make_folder,
    make_reachable,
    start_reaper,
    usable_binaries,
)

StopMode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS: Mapping[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
# On a file system in memory a database is copied in 20 ms, on a plain disk in 100 to 500 ms.
MEMORY = Path("/dev/shm")


class PostgresServer:
    """One server of our own: initialised on the first start, removed by close().

    Its port and its data stay the same over stop, kill and start. All methods block, and may be
    called inside a running event loop. `durable` keeps fsync on and the data on disk; without it
    they lie in memory where there is room, and committed rows outlive a kill of the server only.
    `settings` are added to the server's.
    """

    def __init__(
        self,
        *,
        binaries: Path | None = None,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        account = find_account()
        self._identity: dict[str, Any] = {}
        if account is not None:
            self._identity = {"user": account[0], "group": account[1], "extra_groups": []}
        self._settings = _base_settings(durable) | dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._paused: list[psutil.Process] = []
        binaries = binaries or find_binaries()
        self._home = make_folder(find_disk_folder(account), account)
        in_memory = not durable and has_room(MEMORY)
        data_home = make_folder(MEMORY, account) if in_memory else self._home
        self._reaper = start_reaper(self._home, data_home)
        self._binaries = binaries
        if account is not None:
            self._binaries = make_reachable(binaries, self._home, account)
        self._data = data_home / "data"
        self.log_path = self._home / "postgres.log"
        self._log_start = 0
        self.port = find_free_port()

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether the postmaster is alive, paused or not."""
        return self._process is not None and self._process.poll() is None

    def url(self, name: str = "postgres") -> str:
        """Return the address of a database, in the form that DATABASE_URL takes."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def start(self, timeout_seconds: float = 30.0) -> None:
        """Start and wait until it answers; raises PostgresUnavailableError with the log's end."""
        if self.is_running:
            raise RuntimeError("this PostgreSQL is already running")
        deadline = time.monotonic() + timeout_seconds
        first = not self._data.exists()
        if first:
            self._initialise(timeout_seconds)
        while not self._start_once(deadline):
            clash = "could not bind IPv4 address" in self._log_tail()
            if not clash or time.monotonic() > deadline:
                raise PostgresUnavailableError(f"PostgreSQL did not start:\n{self._log_tail()}")
            if first:
                self.port = find_free_port()
            else:
                time.sleep(0.1)

    def follow(self, primary: "PostgresServer", timeout_seconds: float = 60.0) -> None:
        """Become a standby of another server, before the first start."""
        command: list[str | Path]
        command = [self._find_tool("pg_basebackup"), "-D", self._data, "-R", "-c", "fast"]
        command += ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
        self._run_tool(command, timeout_seconds)
        # That of a newer release writes down what this server does not know.
        where = f"host=127.0.0.1 port={primary.port} user=postgres"
        self._settings["primary_conninfo"] = where

    def _find_tool(self, name: str) -> Path:
        """Beside the server, or of any other release on this machine, where only a server is."""
        beside = self._binaries / name
        places = [beside, *(folder / name for folder in reversed(usable_binaries()))]
        return next((path for path in places if path.exists()), beside)

    def promote(self) -> None:
        """Make a standby a primary of its own, and wait until it is one."""
        self.execute("SELECT pg_promote(true, 30)")

    def stop(self, mode: StopMode = "fast", timeout_seconds: float = 30.0) -> None:
        """Shut down as pg_ctl does in that mode; kills it and raises TimeoutError if it hangs."""
        process = self._running()
        self.resume()
        process.send_signal(STOP_SIGNALS[mode])
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"PostgreSQL did not stop ({mode}) in {timeout_seconds} s") from None
        self._end()

    def kill(self) -> None:
        """Crash it: SIGKILL to the postmaster and all its processes, until none is left."""
        self.pause()
        for process in self._paused:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._running().wait()
        _wait_until(lambda: not any(map(_is_alive, self._paused)), 10.0)
        self._end()

    def pause(self) -> None:
        """Play a hung server: it accepts connections, through the kernel, and answers nothing."""
        postmaster = psutil.Process(self._running().pid)
        # Stopped first, so that it starts no process that the list would miss.
        postmaster.suspend()
        self._paused = [postmaster]
        halted = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
        _wait_until(lambda: postmaster.status() in halted, 5.0)
        for child in postmaster.children(recursive=True):
            self._paused.append(child)
            with contextlib.suppress(psutil.NoSuchProcess):
                child.suspend()

    def resume(self) -> None:
        """Let a paused server go on; does nothing to one that runs."""
        for process in self._paused:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        self._paused = []

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start again on the same port and data."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """End it and remove all its data; the server cannot be used afterwards."""
        if self.is_running:
            # It is killed if it hangs, and that is enough here.
            with contextlib.suppress(TimeoutError):
                self.stop("immediate", timeout_seconds=10.0)
        self._end()
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        self._reaper.wait()

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database and return its URL; a migrated `template` saves running migrations.

        Nobody may be connected to the template, or asyncpg.ObjectInUseError comes after 5 s.
        """
        options = f" TEMPLATE {quote(template)}" if template else ""
        version = int((self._data / "PG_VERSION").read_text())
        if version >= 15 and self._settings["fsync"] == "off":
            # Half the time of the default where nothing is synced; older ones do nothing else.
            options += " STRATEGY FILE_COPY"
        self.execute(f"CREATE DATABASE {quote(name)}{options}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, if it exists, ending the connections to it."""
        self.execute(f"DROP DATABASE IF EXISTS {quote(name)} WITH (FORCE)")

    def execute(self, sql: str, database: str = "postgres", timeout_seconds: float = 30.0) -> None:
        """Run one or several statements outside of any event loop's connections.

        Raises asyncpg's errors, TimeoutError when the whole takes too long.
        """
        run_in_thread(execute(self.url(database), sql, timeout_seconds))

    def fetch(
        self, sql: str, database: str = "postgres", timeout_seconds: float = 30.0
    ) -> list[tuple[Any, ...]]:
        """Run one query and return its rows; errors as for execute()."""
        return run_in_thread(fetch(self.url(database), sql, timeout_seconds))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("this PostgreSQL is not running")
        return self._process

    def _initialise(self, timeout_seconds: float) -> None:
        command: list[str | Path]
        command = [self._binaries / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        self._run_tool(command, timeout_seconds)

    def _run_tool(self, command: Sequence[str | Path], timeout_seconds: float) -> None:
        done = subprocess.run(
            command,
            cwd=self._home,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            **self._identity,
        )
        if done.returncode != 0:
            name = Path(command[0]).name
            raise PostgresUnavailableError(f"{name} failed:\n{done.stdout}{done.stderr}")

    def _start_once(self, deadline: float) -> bool:
        command = [str(self._binaries / "postgres"), "-D", str(self._data)]
        for name, value in (self._settings | {"port": str(self.port)}).items():
            command += ["-c", f"{name}={value}"]
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                command,
                cwd=self._home,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C in the terminal is for the tests, which then stop the server.
                start_new_session=True,
                **self._identity,
            )
        self._tell_reaper(self._process.pid)
        if run_in_thread(self._answers(deadline)):
            return True
        if self.is_running:
            self.kill()
        self._end()
        return False

    async def _answers(self, deadline: float) -> bool:
        while self.is_running and time.monotonic() < deadline:
            try:
                rows = await fetch(self.url(), "SHOW data_directory", 2.0)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.02)
                continue
            # Another server may have taken the port, and ours is about to give up.
            if rows == [(str(self._data),)]:
                return True
            await asyncio.sleep(0.02)
        return False

    def _end(self) -> None:
        self._process = None
        self._paused = []
        self._tell_reaper(0)

    def _tell_reaper(self, pid: int) -> None:
        pipe = self._reaper.stdin
        if pipe is not None and not pipe.closed:
            pipe.write(b"%d\n" % pid)
            pipe.flush()

    def _log_tail(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read()[-4000:].decode(errors="replace")


@contextlib.contextmanager
def running_postgres(
    *,
    binaries: Path | None = None,
    durable: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Iterator[PostgresServer]:
    """Run a server for the length of a with block, or of a fixture; all its data goes with it."""
    server = PostgresServer(binaries=binaries, durable=durable, settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _base_settings(durable: bool) -> dict[str, str]:
    kept = "on" if durable else "off"
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "shared_buffers": "64MB",
        "max_connections": "200",
        # Beside the data: in /dev/shm it would stay behind after a kill, and fill a container's.
        "dynamic_shared_memory_type": "mmap",
        "fsync": kept,
        "full_page_writes": kept,
    }
    # Databases that live for a moment are not worth the care.
    return settings if durable else settings | {"autovacuum": "off", "jit": "off"}


def _environment() -> dict[str, str]:
    # PG* would steer the server, and the log is searched for an English text.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _wait_until(condition: Callable[[], bool], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"PostgreSQL's processes did not obey in {timeout_seconds} s")
        time.sleep(0.005)


def _is_alive(process: psutil.Process) -> bool:
    # An orphan that nobody reaps, as in a container without an init, is dead enough.
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
