"""Sending: from a text's arrival to its reply, texts per second, and what slows it down."""

import asyncio
import contextlib
import http.client
import json
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from app.domain.outbound.requests import OutgoingText
from app.provider.client import ProviderClient
from benchmarks import outbox
from benchmarks.compare import CROWD
from benchmarks.load import LoadPlan, run_load
from benchmarks.parts import sending_costs as costs
from benchmarks.report import Figure, Table, Target, show_targets
from benchmarks.servers.contenders import (
    ENGINE_NAMES,
    Contender,
    Engine,
    Running,
    migrate_database,
    running_server,
)
from benchmarks.servers.cores import Cores
from benchmarks.servers.provider import TOKEN, Provider, running_provider
from tests.support.storage.postgres import PostgresServer, running_postgres

ANSWER: dict[Engine, Target] = {"sqlite": Target(1.5), "postgresql": Target(2.5)}
COMPUTED = Target(2)
MASS_OUT = Target(1.2)
THROUGHPUT = Target(0.9, at_least=True)
BURDEN = Target(1.2)
KEPT = Target(0.8, at_least=True)
ANSWERED_TEXTS = 40
IDLE_SECONDS = 0.05
CALL_SECONDS = 0.05
CONCURRENCIES = (1, 4, 16)
CYCLES = 50
# Texts a second, and calls at once: the first is limited by its pace, the second by its calls.
MASS_LIMITS = ((1_000, 8), (10_000, 1))
FEW, MANY = 1_000, 100_000
LOAD_SECONDS = 3.0
FAST = {"LETTERBOX_SEND_PER_SECOND": "10000"}
OURS = "447700900990"
RULE = {"name": "answer", "timezone": "UTC", "reply": "Thank you, we have it: {body}"}


@dataclass(frozen=True, slots=True)
class Sending:
    """Ratios of one database, see the table's rows; `throughput` by how many calls at once.

    `computed` is in milliseconds, `mass` by pace and calls at once.
    """

    answer: float
    computed: float
    throughput: dict[int, float]
    mass: dict[tuple[int, int], float]
    claim: float
    receive: float
    kept: float


def measure_sending(engines: Sequence[Engine], cores: Cores) -> dict[Engine, Sending]:
    """Raises DidNotStartError."""
    found = {}
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(durable=True))
        for engine in engines:
            bench = Bench(engine, postgres, cores)
            found[engine] = Sending(
                bench.measure_answer(),
                bench.measure_computing(),
                {each: bench.measure_throughput(each) for each in CONCURRENCIES},
                {each: bench.measure_mass(*each) for each in MASS_LIMITS},
                bench.measure_claims(),
                bench.measure_receiving(),
                bench.measure_workers(),
            )
    return found


class Bench:
    """Measures on one database; every measurement has a database and servers of its own."""

    def __init__(self, engine: Engine, postgres: PostgresServer, cores: Cores) -> None:
        self._engine = engine
        self._postgres = postgres
        self._cores = cores
        self._count = 0

    def measure_answer(self) -> float:
        """From a forward to the Send call that answers it, by the two alone."""
        self._say("an answer")
        with self._open() as place, place.serve(FAST) as running:
            post(running, "/rules", RULE)
            _forward(running, 0)
            time.sleep(1)
            forwards, sent_at = [], {}
            for each in range(1, ANSWERED_TEXTS + 1):
                time.sleep(IDLE_SECONDS)
                number, sent_at_now, took = _forward(running, each)
                sent_at[number] = sent_at_now
                forwards.append(took)
            place.provider.wait_for_sends(ANSWERED_TEXTS + 1)
            takings = dict(place.provider.list_takings())
            times = [(takings[each] - at).total_seconds() for each, at in sent_at.items()]
            call = asyncio.run(_time_call(place.provider))
        return median(times) / (median(forwards) + call)

    def measure_throughput(self, concurrency: int) -> float:
        """Texts a second by what that many calls of 50 ms each could be."""
        self._say(f"{concurrency} calls at once")
        count = concurrency * CYCLES
        with self._open() as place:
            outbox.fill(place.database_url, count)
            place.provider.answer_after(CALL_SECONDS)
            settings = FAST | {"LETTERBOX_SEND_CONCURRENCY": str(concurrency)}
            with place.serve(settings):
                place.provider.wait_for_sends(count)
            times = [at for _, at in place.provider.list_takings()]
        per_second = (count - concurrency) / (times[-1] - times[0]).total_seconds()
        return per_second / (concurrency / CALL_SECONDS)

    def measure_computing(self) -> float:
        """Milliseconds that the server computes for a text to one number."""
        self._say("what a text costs")
        with self._open() as place:
            place.provider.answer_after(CALL_SECONDS)
            with place.serve(FAST) as running:
                seconds = costs.time_singles(place.database_url, place.provider, running)
        return seconds / costs.MILLISECOND

    def measure_mass(self, per_second: int, concurrency: int) -> float:
        """Seconds until texts of requests to many are out by those that pace and calls allow."""
        self._say(f"requests to many, {per_second} a second, {concurrency} calls at once")
        with self._open() as place:
            place.provider.answer_after(CALL_SECONDS)
            call = costs.time_mass_call(place.provider)
        allowed = costs.compute_allowed(per_second, concurrency, call)
        with self._open() as place:
            outbox.fill(place.database_url, costs.MASS, is_mass=True)
            place.provider.answer_after(CALL_SECONDS)
            settings = {
                "LETTERBOX_SEND_PER_SECOND": str(per_second),
                "LETTERBOX_SEND_CONCURRENCY": str(concurrency),
            }
            with place.serve(settings):
                return costs.time_mass(place.provider, allowed) / allowed

    def measure_claims(self) -> float:
        """A claim from among many waiting texts by one from among few."""
        self._say("claims")
        times = []
        for waiting in (FEW, MANY):
            with self._open(with_provider=False) as place:
                outbox.fill(place.database_url, waiting)
                times.append(outbox.time_claims(place.database_url))
        return times[1] / times[0]

    def measure_receiving(self) -> float:
        """Forwards a second with nothing waiting by those with many texts waiting."""
        self._say("receiving beside many that wait")
        rates = []
        for waiting in (0, MANY):
            with self._open() as place:
                outbox.fill(place.database_url, waiting)
                place.provider.answer_after(CALL_SECONDS)
                with place.serve() as running:
                    rates.append(place.load(running))
        return rates[0] / rates[1]

    def measure_workers(self) -> float:
        """Forwards a second while workers answer them by those without workers."""
        self._say("receiving beside the workers")
        rates = []
        for run_workers in (False, True):
            with self._open() as place, place.serve(run_workers=run_workers) as running:
                post(running, "/rules", RULE)
                rates.append(place.load(running))
        return rates[1] / rates[0]

    def _say(self, what: str) -> None:
        print(f"{self._engine}: {what}", file=sys.stderr)

    @contextlib.contextmanager
    def _open(self, *, with_provider: bool = True) -> Iterator["Place"]:
        self._count += 1
        with (
            tempfile.TemporaryDirectory(prefix="letterbox-bench-") as name,
            contextlib.ExitStack() as stack,
        ):
            folder = Path(name)
            database = f"sending_{self._count}"
            url = f"sqlite:///{folder / 'bench.sqlite3'}"
            if self._engine == "postgresql":
                url = self._postgres.create_database(database)
                stack.callback(self._postgres.drop_database, database)
            migrate_database(url, folder)
            provider = stack.enter_context(running_provider(folder)) if with_provider else None
            yield Place(self._engine, url, folder, self._cores, provider)


@dataclass(frozen=True, slots=True)
class Place:
    """An empty, migrated database, and a provider where one was asked for."""

    engine: Engine
    database_url: str
    folder: Path
    cores: Cores
    given_provider: Provider | None

    @property
    def provider(self) -> Provider:
        assert self.given_provider is not None
        return self.given_provider

    @contextlib.contextmanager
    def serve(
        self, settings: dict[str, str] | None = None, *, run_workers: bool = True
    ) -> Iterator[Running]:
        contender = Contender("letterbox", self.engine, run_workers)
        given = self.provider.settings | (settings or {})
        with running_server(
            contender, self.database_url, self.folder, self.cores, given
        ) as running:
            yield running

    def load(self, running: Running) -> float:
        """Forwards a second from many connections."""
        time.sleep(1.5)  # it may still be loading what it needs
        plan = LoadPlan(
            running.port, running.auth, CROWD, LOAD_SECONDS, 1.0, 0, str(self.folder / "ids")
        )
        return run_load(plan).per_second


def _forward(running: Running, number: int) -> tuple[str, datetime, float]:
    """Send one text from a new sender; returns the sender, the time and how long that took."""
    source = f"447700900{number:03}"
    fields = {"source": source, "dest": OURS, "msg": f"Hello {number}", "id": str(number)}
    query = urlencode(fields | {"auth": running.auth})
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    connection.connect()
    at, began = datetime.now(UTC), time.perf_counter()
    connection.request("GET", f"/inbound?{query}")
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    connection.close()
    assert answer.status == http.client.OK, answer.status
    return source, at, took


def post(running: Running, path: str, body: object) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    headers = {"Authorization": f"Bearer {running.api_key}", "Content-Type": "application/json"}
    connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
    answer = connection.getresponse()
    assert answer.status < http.client.BAD_REQUEST, answer.read()
    connection.close()


async def _time_call(provider: Provider) -> float:
    """Seconds of a Send by the service's own client, alone."""
    times = []
    text = OutgoingText(OURS, "Hello")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    url = f"http://127.0.0.1:{provider.port}/api"
    async with ProviderClient(TOKEN, url=url, zone=ZoneInfo("Europe/London"), tls=tls) as client:
        for each in range(ANSWERED_TEXTS):
            began = time.perf_counter()
            await client.send(text, f"447700900{each:03}")
            times.append(time.perf_counter() - began)
            await asyncio.sleep(IDLE_SECONDS)
    return median(times)


def tabulate_sending(found: dict[Engine, Sending]) -> Table:
    """Ratios alone."""

    def row(
        name: str, values: dict[Engine, float], target: Target | dict[Engine, Target]
    ) -> tuple[str, ...]:
        targets = target if isinstance(target, dict) else dict.fromkeys(ENGINE_NAMES, target)
        cells = [
            str(Figure([values[engine]], targets[engine])) if engine in values else "-"
            for engine in ENGINE_NAMES
        ]
        return (name, *cells, show_targets(*targets.values()))

    def pick(name: str) -> dict[Engine, float]:
        return {engine: getattr(each, name) for engine, each in found.items()}

    rows = [
        row("inbound to Send call / (the forward + one call)", pick("answer"), ANSWER),
        row("computing for a text sent alone / 1 ms", pick("computed"), COMPUTED),
        *(
            row(
                f"10,000 texts to many / as allowed ({pace:,} a second, {calls} at once)",
                {engine: sending.mass[pace, calls] for engine, sending in found.items()},
                MASS_OUT,
            )
            for pace, calls in MASS_LIMITS
        ),
        *(
            row(
                f"texts a second / ({each} at once / 50 ms)",
                {engine: sending.throughput[each] for engine, sending in found.items()},
                THROUGHPUT,
            )
            for each in CONCURRENCIES
        ),
        row("a claim among 100,000 waiting / among 1,000", pick("claim"), BURDEN),
        row("receiving with nothing waiting / with 100,000", pick("receive"), BURDEN),
        row("receiving while workers answer / without workers", pick("kept"), KEPT),
    ]
    return Table("Sending", ("", *ENGINE_NAMES.values(), "target"), rows)
