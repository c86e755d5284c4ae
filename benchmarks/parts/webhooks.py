"""Webhooks: how soon an event arrives, how many are delivered, and what forwards pay for it."""

import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.client import AnsweredOddlyError
from benchmarks.compare import CROWD, Pace, fresh_database, make_plan
from benchmarks.load import run_load
from benchmarks.report import Figure, Table, Target
from benchmarks.servers.contenders import ENGINE_NAMES, Contender, Engine, Running, running_server
from benchmarks.servers.cores import Cores, stop_process
from tests.support.storage.postgres import PostgresServer, running_postgres

ENDPOINTS = 10
# Of each round: forward and back, so that a machine that slows down favours neither.
ORDER = (0, ENDPOINTS, ENDPOINTS, 0)
ANSWER_SECONDS = 0.02
LONE = 60
LONE_PAUSE_SECONDS = 0.15
STORED = 1_000
WANTED_PER_SECOND = 500
PATIENCE_SECONDS = 120.0
SETTINGS = {"LETTERBOX_WEBHOOK_NETWORKS": "127.0.0.1"}
TYPES = ["message.received"]

SOON = Target(2)
OFTEN = Target(1, at_least=True)
FREE = Target(0.95, at_least=True)


@dataclass(frozen=True, slots=True)
class Hooks:
    """Ratios of one database, see the table's rows."""

    latency: float
    rate: float
    forwards: Sequence[float]
    alike: Sequence[float]


def measure_webhooks(engines: Sequence[Engine], pace: Pace, cores: Cores) -> dict[Engine, Hooks]:
    """Raises DidNotStartError."""
    found: dict[Engine, Hooks] = {}
    with contextlib.ExitStack() as stack:
        postgres = None
        if "postgresql" in engines:
            postgres = stack.enter_context(running_postgres(durable=True))
        port = stack.enter_context(running_endpoint())
        for engine in engines:
            with _running(engine, 0, postgres, cores) as server:
                latency = _measure_latency(server, port) / ANSWER_SECONDS
                rate = _measure_rate(server, port) / WANTED_PER_SECOND
            rounds = [
                [
                    _measure_forwards(
                        engine, len(ORDER) * number + place, count, port, postgres, pace, cores
                    )
                    for place, count in enumerate(ORDER, 1)
                ]
                for number in range(pace.rounds)
            ]
            forwards = [(b + c) / (a + d) for a, b, c, d in rounds]
            alike = [d / a for a, _, _, d in rounds]
            found[engine] = Hooks(latency, rate, forwards, alike)
    return found


def tabulate_webhooks(found: dict[Engine, Hooks]) -> Table:
    rows = [
        (
            "event committed until it arrives / the endpoint's own answer time, idle",
            *(str(Figure([hooks.latency], SOON)) for hooks in found.values()),
            str(SOON),
        ),
        (
            f"deliveries a second to {ENDPOINTS} endpoints / {WANTED_PER_SECOND}",
            *(str(Figure([hooks.rate], OFTEN)) for hooks in found.values()),
            str(OFTEN),
        ),
        (
            f"forwards acknowledged with {ENDPOINTS} endpoints / with none",
            *(str(Figure(hooks.forwards, FREE)) for hooks in found.values()),
            str(FREE),
        ),
        (
            "the same with none / with none: how far chance goes",
            *(str(Figure(hooks.alike)) for hooks in found.values()),
            "",
        ),
    ]
    title = f"Webhooks: an endpoint that answers after {ANSWER_SECONDS * 1000:.0f} ms"
    return Table(title, ("", *(ENGINE_NAMES[each] for each in found), "target"), rows)


@contextlib.contextmanager
def running_endpoint() -> Iterator[int]:
    """Its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.servers.endpoint", str(ANSWER_SECONDS)],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        stop_process(process)


@contextlib.contextmanager
def _running(
    engine: Engine, number: int, postgres: PostgresServer | None, cores: Cores
) -> Iterator[Running]:
    contender = Contender("letterbox", engine)
    with (
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
        fresh_database(contender, 900 + number, Path(name), postgres) as database_url,
        running_server(contender, database_url, Path(name), cores, SETTINGS) as server,
    ):
        time.sleep(1.5)
        yield server


def _measure_latency(server: Running, port: int) -> float:
    """Seconds from an event's commit, at the latest its transaction's beginning, to its arrival."""
    hook = add_webhook(server, port)
    _take_calls(port)
    for number in range(LONE):
        _forward(server, number)
        time.sleep(LONE_PAUSE_SECONDS)
    took = [at - _read_time(happened) for at, happened in _wait_for_calls(port, LONE)]
    _call(server, "DELETE", f"/webhooks/{hook}")
    return median(took)


def _measure_rate(server: Running, port: int) -> float:
    """Deliveries a second of what is stored already, to several endpoints."""
    began = datetime.now(UTC) - timedelta(minutes=5)
    for number in range(STORED):
        _forward(server, LONE + number)
    hooks = [add_webhook(server, port) for _ in range(ENDPOINTS)]
    time.sleep(2)
    _take_calls(port)
    for hook in hooks:
        body = {"since": began.isoformat().replace("+00:00", "Z")}
        _call(server, "POST", f"/webhooks/{hook}/replay", body)
    calls = sorted(at for at, _ in _wait_for_calls(port, ENDPOINTS * STORED))
    # Without the beginning, when the endpoints are not all replaying yet.
    calls = calls[len(calls) // 10 :]
    for hook in hooks:
        _call(server, "DELETE", f"/webhooks/{hook}")
    return (len(calls) - 1) / (calls[-1] - calls[0])


def _measure_forwards(
    engine: Engine,
    number: int,
    endpoints: int,
    port: int,
    postgres: PostgresServer | None,
    pace: Pace,
    cores: Cores,
) -> float:
    """Forwards acknowledged a second by many connections."""
    with (
        _running(engine, number, postgres, cores) as server,
        tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
    ):
        for _ in range(endpoints):
            add_webhook(server, port)
        time.sleep(2)
        plan = make_plan(server, number, pace, Path(name) / "ids")
        result = run_load(replace(plan, connections=CROWD, seconds=pace.seconds))
    return result.per_second


def add_webhook(server: Running, port: int) -> str:
    url = f"http://127.0.0.1:{port}/"
    made = _call(server, "POST", "/webhooks", {"url": url, "types": TYPES})
    return str(made["id"])


def _forward(server: Running, number: int) -> None:
    query = (
        f"auth={server.auth}&id=hook{number}&sourceaddr=447700900{number % 1000:03d}"
        f"&destaddr=447700900100&msg=text+{number}&receivedts=2026-06-01+12:00:00"
    )
    _ask(server.port, "GET", f"/inbound?{query}", {})


def _call(server: Running, method: str, path: str, body: Any = None) -> Any:
    headers = {
        "Authorization": f"Bearer {server.api_key}",
        "Content-Type": "application/json",
    }
    answer = _ask(server.port, method, f"/api/v1{path}", headers, body)
    return json.loads(answer) if answer else None


def _ask(port: int, method: str, path: str, headers: dict[str, str], body: Any = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if not 200 <= response.status < 300:
        raise AnsweredOddlyError(f"{path}: {response.status} {answer[:300]!r}")
    return answer


def _take_calls(port: int) -> list[tuple[float, str]]:
    """What came since the last time."""
    calls: list[tuple[float, str]] = json.loads(_ask(port, "GET", "/", {}))
    return calls


def _wait_for_calls(port: int, count: int) -> list[tuple[float, str]]:
    calls: list[tuple[float, str]] = []
    until = time.monotonic() + PATIENCE_SECONDS
    while len(calls) < count and time.monotonic() < until:
        time.sleep(0.5)
        calls += _take_calls(port)
    if len(calls) < count:
        raise AnsweredOddlyError(f"only {len(calls)} of {count} deliveries came")
    return calls


def _read_time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
