"""The simulated provider in a separate process on the load's core, and what it received."""

import contextlib
import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.servers.contenders import LETTERBOX, START_SECONDS, DidNotStartError
from benchmarks.servers.cores import stop_process
from benchmarks.servers.ports import find_free_port

WAIT_SECONDS = 60.0
TOKEN = "a-token-of-the-benchmarks"
CONFIG = {
    "accounts": [{"username": "demo", "token": TOKEN, "credits": "100000000"}],
    "switches": {"magic_numbers": False},
}


@dataclass(frozen=True, slots=True)
class Provider:
    """Its API, and its control interface."""

    port: int

    @property
    def settings(self) -> dict[str, str]:
        """What makes a Letterbox send through it."""
        return {
            "LETTERBOX_PROVIDER_URL": f"http://127.0.0.1:{self.port}/api",
            "LETTERBOX_PROVIDER_TOKEN": TOKEN,
            "LETTERBOX_RECONCILE_SECONDS": "0",
        }

    def answer_after(self, seconds: float) -> None:
        """Let every Send take this long, after its text was accepted."""
        self._control("DELETE", "faults")
        fault = {"kind": "slow", "action": "Send", "seconds": seconds}
        self._control("POST", "faults", [fault])

    def count_sends(self) -> int:
        return int(self._control("GET", "calls")["counts"].get("Send", 0))

    def wait_for_sends(self, count: int) -> None:
        """Wait until so many calls have come."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.count_sends() < count:
            assert time.monotonic() < deadline, f"{self.count_sends()} of {count} calls came"
            time.sleep(0.2)

    def list_takings(self) -> list[tuple[str, datetime]]:
        """The number of each text and when it was accepted, oldest first."""
        texts = self._control("GET", "ledger")["messages"]
        return [(each["to"], datetime.fromisoformat(each["taken_at"])) for each in texts]

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/_simulator/{path}", json.dumps(body) if body else None)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextlib.contextmanager
def running_provider(folder: Path) -> Iterator[Provider]:
    """Stopped when the block ends. Raises DidNotStartError."""
    config, log_path = folder / "provider.json", folder / "provider.log"
    config.write_text(json.dumps(CONFIG))
    provider = Provider(find_free_port())
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [LETTERBOX, "simulate", "serve", "--port", str(provider.port), "--config", config],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_it_answers(provider, process, log_path)
        yield provider
    finally:
        stop_process(process)


def _wait_until_it_answers(
    provider: Provider, process: subprocess.Popen[bytes], log_path: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            provider.count_sends()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise DidNotStartError(f"the provider did not start:\n{log_path.read_text()[-2000:]}")
        time.sleep(0.05)
