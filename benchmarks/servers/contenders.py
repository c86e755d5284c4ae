"""The measured servers: how each is started on its core, awaited, weighed and stopped."""

import contextlib
import http.client
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil  # type: ignore[import-untyped]  # it ships no types

from benchmarks.forwards import Dialect
from benchmarks.servers.cores import Cores, stop_process
from benchmarks.servers.kannel import find_bearerbox, write_config
from benchmarks.servers.ports import find_free_port
from benchmarks.verify import read_rows

Kind = Literal["constant", "obvious", "kannel", "letterbox"]
Engine = Literal["", "sqlite", "postgresql"]

ENGINE_NAMES: dict[Engine, str] = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
START_SECONDS = 180.0
LOOK_SECONDS = 0.01
PROJECT = Path(__file__).resolve().parents[2]
LETTERBOX = str(Path(sys.executable).parent / "letterbox")


class DidNotStartError(RuntimeError):
    """A server ended or kept silent; the text carries the end of its output."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to measure and the database behind it, "" for none.

    More than one of `processes` use every core.
    """

    kind: Kind
    engine: Engine
    run_workers: bool = True
    processes: int = 1

    @property
    def name(self) -> str:
        count = str(self.processes) if self.processes > 1 else ""
        parts = [self.kind, self.engine, "" if self.run_workers else "web", count]
        return "-".join(part for part in parts if part)


CONTENDERS = (
    Contender("constant", ""),
    Contender("obvious", "sqlite"),
    Contender("obvious", "postgresql"),
    Contender("letterbox", "sqlite"),
    Contender("letterbox", "postgresql"),
    # As docker-compose.yml runs it: the workers are a process of their own.
    Contender("letterbox", "postgresql", run_workers=False),
    Contender("letterbox", "postgresql", run_workers=False, processes=2),
)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. `auth` opens /inbound, `api_key` Letterbox's REST API.

    `dialect` is how its requests are written.
    """

    pid: int
    port: int
    database_url: str
    auth: str
    api_key: str
    dialect: Dialect = "letterbox"

    def weigh(self) -> float:
        """Resident memory of the process and its children, in MB (10^6 bytes)."""
        process = psutil.Process(self.pid)
        family = [process, *process.children(recursive=True)]
        return float(sum(member.memory_info().rss for member in family)) / 1e6

    def weigh_share(self) -> float:
        """The same with each page that several processes share counted in parts (PSS)."""
        return float(psutil.Process(self.pid).memory_full_info().pss) / 1e6

    def compute(self) -> float:
        """As the function of that name."""
        return compute(self.pid)


def compute(pid: int) -> float:
    """Seconds that a process and its children, ended ones too, have computed so far."""
    process = psutil.Process(pid)
    seconds = 0.0
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


@contextlib.contextmanager
def running_server(
    contender: Contender,
    database_url: str,
    folder: Path,
    cores: Cores,
    settings: Mapping[str, str] | None = None,
    is_ready: Callable[[int], bool] | None = None,
) -> Iterator[Running]:
    """Start a server that keeps its data in `folder`; it is gone when the block ends.

    `settings` are variables of Letterbox's besides. `is_ready` is asked with its port, instead of
    whether it keeps messages. Raises DidNotStartError.
    """
    running = _plan_server(database_url)
    if contender.kind == "kannel":
        running = replace(running, dialect="kannel")
    log_path = folder / f"{contender.name}.log"
    prefix = cores.prefix(everywhere=contender.processes > 1)
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*prefix, *_make_command(contender, running, folder)],
            env=_make_environment(contender, running, folder) | dict(settings or {}),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        if is_ready is None:
            is_ready = _keeps_messages if contender.kind == "letterbox" else _answers
        _wait_until_ready(process, lambda: is_ready(running.port), log_path)
        if contender.processes > 1:
            # A process that comes later would get none of the connections.
            _wait_until_ready(
                process, lambda: _count_processes(database_url) >= contender.processes, log_path
            )
        yield replace(running, pid=process.pid)
    finally:
        stop_process(process)


@contextlib.contextmanager
def running_worker(server: Running, folder: Path, cores: Cores) -> Iterator[None]:
    """Run `letterbox work` beside a server without workers, on the same core."""
    environment = _make_environment(Contender("letterbox", "postgresql"), server, folder)
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*cores.prefix(), LETTERBOX, "work"],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        stop_process(process)


def migrate_database(database_url: str, folder: Path) -> None:
    """Make Letterbox's schema; raises DidNotStartError."""
    contender = Contender("letterbox", "postgresql" if "postgresql" in database_url else "sqlite")
    done = subprocess.run(
        [LETTERBOX, "migrate"],
        env=_make_environment(contender, _plan_server(database_url), folder),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DidNotStartError(f"letterbox migrate failed:\n{done.stdout}{done.stderr}")


def _plan_server(database_url: str) -> Running:
    return Running(0, find_free_port(), database_url, secrets.token_hex(16), secrets.token_hex(32))


def _make_command(contender: Contender, running: Running, folder: Path) -> list[str]:
    if contender.kind == "letterbox":
        return [LETTERBOX, "serve"]
    if contender.kind == "kannel":
        # Debian puts it where only root looks.
        bearerbox = find_bearerbox()
        if bearerbox is None:
            raise DidNotStartError("Kannel's bearerbox is not installed")
        return [bearerbox, "-v", "4", str(write_config(folder, running.port, running.auth))]
    module = f"benchmarks.servers.{contender.kind}"
    options = ["--port", str(running.port), "--database-url", running.database_url]
    return [sys.executable, "-m", module, *options, "--auth", running.auth]


def _make_environment(contender: Contender, running: Running, folder: Path) -> dict[str, str]:
    # A developer's own settings must not affect the measurement.
    kept = {name: text for name, text in os.environ.items() if not name.startswith("LETTERBOX_")}
    kept["PYTHONPATH"] = str(PROJECT)
    if contender.kind != "letterbox":
        return kept
    return kept | {
        "LETTERBOX_DATABASE_URL": running.database_url,
        "LETTERBOX_DATA_DIR": str(folder / "data"),
        "LETTERBOX_PORT": str(running.port),
        "LETTERBOX_INBOUND_AUTH": running.auth,
        "LETTERBOX_API_KEY": running.api_key,
        "LETTERBOX_RUN_WORKERS": str(contender.run_workers).lower(),
        "LETTERBOX_PROCESSES": str(contender.processes),
    }


def _wait_until_ready(
    process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log_path: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            ending = log_path.read_bytes()[-2000:].decode(errors="replace")
            raise DidNotStartError(f"{log_path.stem} did not start:\n{ending}")
        time.sleep(LOOK_SECONDS)


def _answers(port: int) -> bool:
    """Whether it answers at all, even with 404."""
    return fetch(port, "/") is not None


def _keeps_messages(port: int) -> bool:
    """Whether Letterbox uses its database: before that, messages go to its spool."""
    answer = fetch(port, "/readyz")
    return answer is not None and json.loads(answer)["database"]["status"] == "ok"


def _count_processes(database_url: str) -> int:
    """How many have registered themselves."""
    return len(read_rows(database_url, "SELECT id FROM processes"))


def fetch(port: int, path: str) -> bytes | None:
    """The body of an answer, whatever its status, or None without one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
