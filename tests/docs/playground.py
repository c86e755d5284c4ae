"""A served Letterbox with a simulated provider, in which the commands of the pages run."""

import json
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.service import (
    API_KEY,
    AUTH,
    LETTERBOX,
    Service,
    find_free_port,
    make_environment,
    running,
    wait_until,
)
from tests.support.starter import share_starter

# What never ends: it runs until it has printed something.
ENDLESS = ("curl -N", "letterbox listen")
SECONDS = 60
# Where each kind of id is listed, the newest first.
LISTS = {"msg": "messages", "out": "outbound", "whk": "webhooks", "cnv": "conversations"}


@dataclass
class Playground:
    """The service, and the folder in which commands run."""

    service: Service
    provider: str
    receiver: str
    folder: Path

    def run(self, line: str, enough: Callable[[str], bool] = bool) -> str:
        """What a command printed; one that never ends, until that is enough.

        Raises AssertionError where it fails, or where it never is.
        """
        is_endless = line.startswith(ENDLESS)
        line = self._translate(line)
        environment = self._make_environment(line)
        if is_endless:
            return self._run_for_a_while(line, environment, enough)
        if re.fullmatch(r"letterbox [^|<>$]*", line):
            return self._run_by_fork(shlex.split(line)[1:], environment)
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert result.returncode == 0, (line, result.stdout, result.stderr)
        return result.stdout

    def _translate(self, line: str) -> str:
        """The addresses, ids and days of the pages as they are here."""
        for shown, here in (
            ("https://example.com/texts", f"{self.receiver}/texts"),
            ("http://127.0.0.1:3000", self.receiver),
            ("https://texts.example.com", self.service.url),
            ("http://127.0.0.1:8000", self.service.url),
        ):
            line = line.replace(shown, here)
        if line.startswith("letterbox simulate"):
            line += f" --url {self.provider}"
        if line.startswith("curl"):
            line = line.replace("curl", "curl --silent --show-error --fail-with-body", 1)
        yesterday = datetime.now(UTC) - timedelta(days=1)
        line = re.sub(r"(reconcile --from) \S+", rf"\1 {yesterday:%Y-%m-%d}", line)
        return re.sub(r"\b(msg|out|whk|cnv)_\w+", lambda found: self._find_newest(found[1]), line)

    def _find_newest(self, kind: str) -> str:
        newest: str = self.service.get(f"/{LISTS[kind]}?limit=1")["items"][0]["id"]
        return newest

    def _make_environment(self, line: str) -> dict[str, str]:
        is_restored = line.startswith("letterbox restore")
        settings = make_environment(
            data_dir=self.folder / "restored" if is_restored else self.service.folder,
            port=self.service.port,
            provider_url=f"{self.provider}/api",
            provider_token="demo-token",
            webhook_networks="127.0.0.0/8",
        )
        path = f"{LETTERBOX.parent}:{os.environ['PATH']}"
        return settings | {"KEY": API_KEY, "AUTH": AUTH, "PATH": path}

    def _run_by_fork(self, arguments: list[str], environment: dict[str, str]) -> str:
        output = self.folder / "output"
        with output.open("wb") as stdout:
            process = share_starter().start(
                arguments, self.folder, environment, stdout.fileno(), stdout.fileno()
            )
        assert process.wait(SECONDS) == 0, (arguments, output.read_text())
        return output.read_text()

    def _run_for_a_while(
        self, line: str, environment: dict[str, str], enough: Callable[[str], bool]
    ) -> str:
        output = self.folder / "output"
        with output.open("wb") as stdout:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {line}"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stdout,
            )
        try:
            wait_until(lambda: output.stat().st_size > 0, seconds=SECONDS, what=line)
            # It may hear of nothing yet: texts arrive until it does.
            texts = count()
            wait_until(
                lambda: (
                    self.service.forward(f"{line} {next(texts)}").status == 200
                    and enough(output.read_text())
                ),
                seconds=SECONDS,
                what=output,
            )
            assert process.poll() is None, (line, output.read_text())
        finally:
            process.kill()
            process.wait(SECONDS)
        return output.read_text()


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not into the output of the tests."""


@contextmanager
def receiving() -> Iterator[str]:
    """A program that takes webhooks and notifications; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _answers(url: str) -> bool:
    with suppress(URLError, ConnectionError), urlopen(url, timeout=5):
        return True
    return False


@contextmanager
def open_playground(folder: Path) -> Iterator[Playground]:
    port, served = find_free_port(), find_free_port()
    provider, url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{served}"
    simulate = ("simulate", "serve", "--port", str(port), "--auth", AUTH)
    settings: dict[str, Any] = {
        "provider_url": f"{provider}/api",
        "provider_token": "demo-token",
        "webhook_networks": "127.0.0.0/8",
    }
    with (
        receiving() as receiver,
        running(folder / "sim", *simulate, "--forward-to", f"{url}/inbound", wait=False),
        running(folder / "data", port=served, **settings) as service,
    ):
        wait_until(lambda: _answers(f"{provider}/_simulator/livez"), what="the simulator")
        place = folder / "place"
        place.mkdir()
        host = receiver.removeprefix("http://")
        (place / "address.txt").write_text(f"json://{host}/\n")
        yield Playground(service, provider, receiver, place)


def read_fields(text: str) -> set[str]:
    """The names of fields that a page shows of an answer, however much it leaves out."""
    return set(re.findall(r'"(\w+)":', text))


def list_fields(answer: str) -> set[str]:
    """The names of all fields in an answer."""

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield name
                yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    return set(walk(json.loads(answer)))
