"""How the tests of the simulator hold it: in process by its core, or over a socket."""

import asyncio
import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from urllib.parse import parse_qsl

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.simulator.actions.dispatch import answer_call
from app.simulator.application import SimulatorApp, build_simulator
from app.simulator.state.clock import SimulatorClock
from app.simulator.state.config import (
    AccountConfig,
    ListConfig,
    ListEntry,
    NumberConfig,
    SimulatorConfig,
)
from app.simulator.state.incoming import IncomingText
from app.simulator.state.world import World

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A winter day: London's clocks show UTC."""

VMN = "447700900001"
ADA = "447700900011"
GRACE = "447700900012"


ACCOUNTS = (
    AccountConfig(username="demo", token="demo-token", admin=True),
    AccountConfig(username="child", token="child-token", parent="demo"),
    AccountConfig(username="poor", token="poor-token", credits=Decimal(1)),
    AccountConfig(username="gone", token="gone-token", state="suspended"),
    AccountConfig(username="used", token="used-token", state="license-in-use"),
    AccountConfig(username="old", token="old-token", state="license-expired"),
    AccountConfig(username="none", token="none-token", state="no-license"),
    AccountConfig(
        username="strict",
        token="strict-token",
        allowed_sources=(VMN,),
        blacklist=("447700900099",),
    ),
)


def make_config(url: str | None = None, method: str = "POST") -> SimulatorConfig:
    """Accounts in every state, a number with a list, and lists of every kind."""
    people = (
        ListEntry(number=ADA, name="Ada", email="ada@example.com", fields=("Countess", "C-1")),
        ListEntry(number=GRACE, name="Grace"),
    )
    numbers = [f"4477009000{index:02d}" for index in range(20, 95)]
    many = tuple(ListEntry(number=numbers[index % len(numbers)]) for index in range(250))
    lists = {
        "people": people,
        "empty": (),
        "many": many,
        "mixed": (*people, ListEntry(number="nonsense")),
        "hopeless": (ListEntry(number="nonsense"),) * 201,
    }
    return SimulatorConfig(
        accounts=ACCOUNTS,
        numbers=(
            NumberConfig.model_validate(
                {"number": VMN, "username": "demo", "url": url, "method": method}
                | {"auth": "open sesame", "list": "people"}
            ),
            NumberConfig(number="447700900002", username="child", url=url, auth="other"),
        ),
        lists=tuple(
            ListConfig(name=name, username="demo", entries=entries)
            for name, entries in lists.items()
        ),
    )


class Owner:
    """Whoever owns a virtual number: an ASGI application that notes what is forwarded to it."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.requests: list[tuple[str, str, str, bytes]] = []
        self.answers: list[int] = []
        self.words: list[str] = []
        self.seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.append(perf_counter())
        request = Request(scope, receive)
        content_type = request.headers.get("content-type", "")
        body = await request.body()
        self.requests.append((request.method, str(request.url), content_type, body))
        await asyncio.sleep(self.seconds)
        status = self.answers.pop(0) if self.answers else 200
        word = self.words.pop(0) if self.words else "OK"
        await PlainTextResponse(word, status)(scope, receive, send)

    def forms(self) -> list[dict[str, str]]:
        """What came, as parameters: those of the body, or of the query where there is none."""
        carried = (body.decode() or url.partition("?")[2] for _, url, _, body in self.requests)
        return [dict(parse_qsl(one, keep_blank_values=True)) for one in carried]


class Played:
    """A simulator without any network, whose clock stands until it is told to go on."""

    def __init__(
        self,
        config: SimulatorConfig | None = None,
        start: datetime = START,
        over_network: bool = False,
        **switches: object,
    ) -> None:
        self._seconds = 0.0
        self.owner = Owner()
        clock = SimulatorClock(start, seconds=lambda: self._seconds)
        self.app: SimulatorApp = build_simulator(
            config or make_config("http://owner.example/in"),
            clock,
            transport=None if over_network else httpx2.ASGITransport(self.owner),
        )
        self.throw(**switches)

    @property
    def world(self) -> World:
        return self.app.simulator.world

    def throw(self, **switches: object) -> None:
        self.world.switches = self.world.switches.changed(switches)

    def pass_seconds(self, seconds: float) -> None:
        self._seconds += seconds

    def ask(self, action: str, token: str = "demo-token", **parameters: str) -> str:
        answer = answer_call(self.world, {"Token": token, "Action": action, **parameters})
        return "".join(answer.rows) if answer.rows is not None else answer.text or ""

    def send(self, to: str = ADA, body: str = "Hello", source: str = VMN, **more: str) -> str:
        return self.ask("Send", DestinationAddress=to, Body=body, SourceAddress=source, **more)

    def report(self, kind: str = "Messages", **more: str) -> str:
        span = {"From": "20260101000000", "To": "20261231235959"}
        return self.ask("Report", ReportType=kind, **(span | more))

    def over_http(self, action: str, **parameters: str) -> httpx2.Response:
        """A call through the whole application, still without a socket."""

        async def call() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app)
            async with httpx2.AsyncClient(transport=transport) as client:
                data = {"Token": "demo-token", "Action": action, **parameters}
                return await client.post("http://simulator/api", data=data)

        return asyncio.run(call())

    def receive(self, *bodies: str, source: str = ADA, settle: bool = True) -> list[IncomingText]:
        """Let texts come in one after the other, and wait for the end of every forward.

        Without `settle` none is waited for longer than a moment.
        """

        async def come_in() -> list[IncomingText]:
            simulator = self.app.simulator
            texts = [
                text
                for body in bodies
                for text in await simulator.receive_text(source, VMN, body, wait_seconds=0.3)
            ]
            if settle:
                await simulator.forwarder.settle()
            await simulator.close()
            return texts

        return asyncio.run(come_in())

    def status(self, message_id: str) -> str:
        return self.ask("CheckMessageStatus", MessageID=message_id)


class Wire:
    """A simulator over a real socket."""

    def __init__(self, url: str, http: httpx2.Client) -> None:
        self.url = url
        self.http = http

    def call(self, action: str, **parameters: str) -> httpx2.Response:
        return self.http.post("/api", data={"Token": "demo-token", "Action": action, **parameters})

    def ask(self, action: str, **parameters: str) -> str:
        return self.call(action, **parameters).text

    def send(self, to: str = ADA, body: str = "Hello", **more: str) -> httpx2.Response:
        return self.call("Send", DestinationAddress=to, Body=body, SourceAddress=VMN, **more)

    def order(self, method: str, path: str, order: object = None) -> httpx2.Response:
        return self.http.request(method, f"/_simulator/{path}", json=order)

    def taken(self) -> list[str]:
        """The destinations of every message in the ledger."""
        return [one["to"] for one in self.order("GET", "ledger").json()["messages"]]


def each_cell(report: str) -> Iterator[list[str]]:
    """The rows of a report as lists of fields, the headings first."""
    return csv.reader(io.StringIO(report))
