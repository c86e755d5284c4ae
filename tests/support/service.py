"""Runs real `letterbox` processes, and asks them things over HTTP."""

import atexit
import contextlib
import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import psutil  # type: ignore[import-untyped]  # it ships no types

from tests.support.starter import LETTERBOX as LETTERBOX
from tests.support.starter import Forked, share_starter

# Becomes what its later arguments name, as systemd does with the sockets of a .socket unit.
HAND_OVER = """
import os, sys
descriptors, command = sys.argv[1].split(","), sys.argv[2:]
for number, descriptor in enumerate(descriptors):
    os.dup2(int(descriptor), 3 + number)
os.environ |= {"LISTEN_FDS": str(len(descriptors)), "LISTEN_PID": str(os.getpid())}
os.execv(command[0], command)
"""
AUTH = "an-auth-value-of-the-tests"
API_KEY = "an-api-key-of-the-tests-with-32-characters"
SENDER = "447700900123"
NUMBER = "447700900456"
# Waiting ends as soon as there is something: what these allow for is a machine with other work.
START_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
# Below the range of outgoing connections, beside the one of support/storage/postgres.py: a port
# stays free while the process that had it is down.
PORTS = range(10000, 20000)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, in how many seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """One `letterbox` process, its output kept in `log`."""

    process: subprocess.Popen[bytes] | Forked
    port: int
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, seconds=START_SECONDS, what=self.log)

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 20,
    ) -> Answer:
        """One request on a connection of its own; OSError where no answer comes."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            content = answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(repr(error)) from error
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, content, time.monotonic() - began)

    def forward(self, message_id: str, **changes: str) -> Answer:
        """Play the provider once."""
        return self.ask(f"/inbound?{make_forward(message_id, **changes)}")

    def call(
        self, path: str, *, method: str = "GET", body: Any = None, key: str = API_KEY
    ) -> Answer:
        """A request to the REST interface."""
        headers = {"Authorization": f"Bearer {key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        return self.ask(f"/api/v1{path}", method=method, body=content, headers=headers)

    def get(self, path: str) -> Any:
        """What the REST interface answers, read as JSON."""
        answer = self.call(path)
        assert answer.status == 200, answer
        return answer.json

    def read_metrics(self) -> dict[str, float]:
        """The figures by name with labels."""
        lines = self.ask("/metrics").body.decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def count_spools(self) -> int:
        """Each process has one at most; any other was left by one that is gone."""
        return len(list(self.folder.glob("spool/*.sqlite3")))

    def read_log(self) -> str:
        return self.log.read_text()

    def list_processes(self) -> list[psutil.Process]:
        """This process and all that it started."""
        try:
            me = psutil.Process(self.process.pid)
            return [me, *me.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        for process in self.list_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(10)

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"letterbox ended:\n{self.read_log()}")
        with contextlib.suppress(OSError):
            return self.ask("/readyz", timeout=5).status == 200
        return False


def make_environment(**settings: Any) -> dict[str, str]:
    """This process's environment with nothing of Letterbox but these settings; None unsets.

    A process that may keep no bytecode would compile all of Letterbox again, as all after it.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LETTERBOX_")}
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    given = {"inbound_auth": AUTH, "api_key": API_KEY} | settings
    named = {f"LETTERBOX_{k.upper()}": str(v) for k, v in given.items() if v is not None}
    return inherited | named


def find_free_port() -> int:
    """A port that nobody listens on, and that no outgoing connection is given."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(
    folder: Path,
    *arguments: str,
    wait: bool = True,
    port: int | None = None,
    launcher: Sequence[str] | None = None,
    listeners: Sequence[socket.socket] = (),
    variables: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Service]:
    """`letterbox serve` (or other arguments) with its data in `folder`, ended at the end.

    `launcher` is a command that becomes what its arguments name; an empty one starts the command
    from its file and on its first day. Any other is forked from a process that has imported it (see
    tests/support/starter.py), and finds a database that was migrated.
    `listeners` are handed over; `variables` are of the environment, beside the settings.
    """
    if listeners:
        port = listeners[0].getsockname()[1] if listeners[0].family == socket.AF_INET else 0
        # Out of the way of the numbers that they are to have.
        given = [fcntl.fcntl(each, fcntl.F_DUPFD, 100) for each in listeners]
        launcher = (sys.executable, "-c", HAND_OVER, ",".join(map(str, given)), *(launcher or ()))
    else:
        port, given = port or find_free_port(), []
    serves = not arguments or arguments[0] == "serve"
    if not folder.exists() and serves and launcher is None and "database_url" not in settings:
        folder.mkdir()
        shutil.copy(_share_migrated(), folder)
    folder.mkdir(exist_ok=True)
    log = folder.parent / f"{folder.name}-{port}.log"
    environment = make_environment(**({"data_dir": folder, "port": port} | settings))
    environment |= variables or {}
    with log.open("ab") as output:
        process = _start(
            arguments or ("serve",), folder.parent, environment, output, launcher, given=given
        )
    for each in given:
        os.close(each)
    service = Service(process, port, folder, log)
    try:
        if wait:
            service.wait_until_ready()
        yield service
    finally:
        _end(process)


@cache
def _share_migrated() -> Path:
    """A file to copy: to migrate one took a third of a start."""
    folder = Path(tempfile.mkdtemp(prefix="letterbox-migrated-"))
    atexit.register(shutil.rmtree, folder)
    assert run_command(folder, "migrate").returncode == 0
    return folder / "letterbox.sqlite3"


def run_command(
    folder: Path, *arguments: str, from_file: bool = False, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """`letterbox` with these arguments, run to its end (60 s at most).

    `from_file` as with an empty `launcher` of `running`.
    """
    environment = make_environment(**({"data_dir": folder} | settings))
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = _start(
            arguments, folder.parent, environment, stdout, () if from_file else None, stderr
        )
        try:
            status = process.wait(START_SECONDS)
        finally:
            process.kill()
        stdout.seek(0)
        stderr.seek(0)
        printed = stdout.read().decode(), stderr.read().decode()
    return subprocess.CompletedProcess(arguments, status, *printed)


def _start(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdout: IO[bytes],
    launcher: Sequence[str] | None,
    stderr: IO[bytes] | None = None,
    given: Sequence[int] = (),
) -> subprocess.Popen[bytes] | Forked:
    """In that folder: not in DATA_DIR, for a mount that is somebody's place cannot be unmounted."""
    stderr = stderr or stdout
    if launcher is None:
        outputs = stdout.fileno(), stderr.fileno()
        return share_starter().start(arguments, folder, environment, *outputs)
    return subprocess.Popen(
        [*launcher, LETTERBOX, *arguments],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        pass_fds=given,
        # All that it leaves behind can be found and ended.
        start_new_session=True,
    )


def make_forward(message_id: str, **changes: str) -> str:
    """The query of a forward."""
    fields = {
        "source": SENDER,
        "dest": NUMBER,
        "msg": f"Text number {message_id}",
        "id": message_id,
        "receivedts": "2026-06-01 12:00:00",
        "auth": AUTH,
    }
    return urlencode(fields | changes)


def wait_until(
    condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS, what: object = "condition"
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            text = what.read_text() if isinstance(what, Path) else what
            raise AssertionError(f"not within {seconds} s: {text}")
        time.sleep(0.03)


def _end(process: subprocess.Popen[bytes] | Forked) -> None:
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)
