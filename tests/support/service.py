"""Runs real `letterbox` processes, and plays the provider to them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2

LETTERBOX = Path(sys.executable).with_name("letterbox")
AUTH = "an-auth-value-of-the-tests"
API_KEY = "an-api-key-of-the-tests-with-32-characters"
START_SECONDS = 20.0


@dataclass
class Service:
    """One `letterbox` process, its output kept in `log`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.fetch_status("/readyz") == 200, seconds=START_SECONDS, what=self.log)

    def fetch_status(self, path: str) -> int | None:
        if self.process.poll() is not None:
            raise AssertionError(f"letterbox ended:\n{self.log.read_text()}")
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def get(self, path: str) -> Any:
        """What the interface answers, read as JSON."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}", headers={"Authorization": f"Bearer {API_KEY}"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def list_all(self, path: str = "/messages?limit=500&order=asc") -> list[dict[str, Any]]:
        """Every item of a list or feed."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(path + cursor)
            found += page["items"]
            if not page["items"] or page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@dataclass
class Sent:
    """What the provider got for its forwards: ids by status; 0 is no answer."""

    answers: dict[str, int] = field(default_factory=dict)

    @property
    def acknowledged(self) -> set[str]:
        return {each for each, status in self.answers.items() if status == 200}


def make_environment(**settings: Any) -> dict[str, str]:
    """This process's environment with nothing of Letterbox but these settings."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LETTERBOX_")}
    named = {f"LETTERBOX_{name.upper()}": str(value) for name, value in settings.items()}
    return inherited | {"LETTERBOX_INBOUND_AUTH": AUTH, "LETTERBOX_API_KEY": API_KEY} | named


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    folder: Path, *arguments: str, wait: bool = True, port: int | None = None, **settings: Any
) -> Iterator[Service]:
    """`letterbox serve` (or other arguments) with its data in `folder`, ended at the end."""
    port = port or find_free_port()
    folder.mkdir(exist_ok=True)
    log = folder.parent / f"{folder.name}-{port}.log"
    environment = make_environment(**({"data_dir": folder, "port": port} | settings))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [LETTERBOX, *(arguments or ("serve",))],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    service = Service(process, port, log)
    try:
        if wait:
            service.wait_until_ready()
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def make_forward(message_id: str, **changes: str) -> str:
    """The query of a forward."""
    fields = {
        "source": "447700900123",
        "dest": "447700900456",
        "msg": f"Text number {message_id}",
        "id": message_id,
        "receivedts": "2026-06-01 12:00:00",
        "auth": AUTH,
    }
    return urlencode(fields | changes)


async def forward(client: httpx2.AsyncClient, url: str, query: str) -> int:
    """The status of one forward; 0 where no answer came."""
    try:
        answer = await client.get(f"{url}/inbound?{query}")
    except httpx2.HTTPError:
        return 0
    return answer.status_code


async def send_many(
    url: str, ids: list[str], *, at_once: int = 16, sent: Sent | None = None
) -> Sent:
    """Forward one text for each id, some at a time; each once, as the provider does."""
    outcome = sent or Sent()
    waiting = list(reversed(ids))
    limits = httpx2.Limits(max_connections=at_once)

    async def work(client: httpx2.AsyncClient) -> None:
        while waiting:
            message_id = waiting.pop()
            outcome.answers[message_id] = await forward(client, url, make_forward(message_id))

    async with httpx2.AsyncClient(timeout=10, limits=limits) as client:
        await asyncio.gather(*(work(client) for _ in range(at_once)))
    return outcome


def wait_until(
    condition: Callable[[], bool], *, seconds: float = 10.0, what: object = "condition"
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            text = what.read_text() if isinstance(what, Path) else what
            raise AssertionError(f"not within {seconds} s: {text}")
        time.sleep(0.05)
