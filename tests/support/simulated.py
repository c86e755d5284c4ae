"""The real client, and the application, with the simulated provider behind them."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from app.provider.client import ProviderClient
from app.provider.exchange import Timeouts
from app.simulator.application import SimulatorApp, build_simulator
from app.simulator.serving import serving
from app.simulator.state.clock import SimulatorClock
from app.simulator.state.config import (
    AccountConfig,
    ListConfig,
    ListEntry,
    NumberConfig,
    SimulatorConfig,
)
from tests.support.transports import TransportPool

TOKEN = "demo-token"
LONDON = ZoneInfo("Europe/London")
START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
OUR_NUMBER = "447700900001"
ADA = "447700900011"
GRACE = "447700900012"


def make_config(**parts: Any) -> SimulatorConfig:
    """An admin with a child, a number, a list of two and a long one."""
    people = (ListEntry(number=ADA, name="Ada"), ListEntry(number=GRACE, name="Grace"))
    many = tuple(ListEntry(number=f"4477009000{index:02d}") for index in range(20, 95)) * 3
    given: dict[str, Any] = {
        "accounts": (
            AccountConfig(username="demo", token=TOKEN, admin=True),
            AccountConfig(username="child", token="child-token", parent="demo"),
        ),
        "numbers": (NumberConfig(number=OUR_NUMBER, username="demo"),),
        "lists": (
            ListConfig(name="people", username="demo", entries=people),
            ListConfig(name="many", username="demo", entries=many),
            ListConfig(name="nobody", username="demo"),
        ),
    }
    return SimulatorConfig(**given | parts)


@dataclass
class Stopwatch:
    """What the simulator's clock runs by: it stands until a test moves it."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Simulated:
    """A simulated provider and the client of its admin account."""

    app: SimulatorApp
    client: ProviderClient
    stopwatch: Stopwatch

    def throw(self, **switches: object) -> None:
        world = self.app.simulator.world
        world.switches = world.switches.changed(switches)

    def pass_seconds(self, seconds: float) -> None:
        self.stopwatch.seconds += seconds

    def list_taken(self) -> list[str]:
        """The destinations of every message that was taken."""
        return [text.destination for text in self.app.simulator.world.outgoing.texts]


def build_provider(
    config: SimulatorConfig | None = None, transport: httpx2.AsyncBaseTransport | None = None
) -> tuple[SimulatorApp, Stopwatch]:
    """A provider on a summer's day in London, whose clock stands; `transport` has its forwards."""
    stopwatch = Stopwatch()
    clock = SimulatorClock(START, seconds=stopwatch)
    return build_simulator(config or make_config(), clock, Random(7), transport), stopwatch


@asynccontextmanager
async def simulated_over_sockets(
    config: SimulatorConfig | None = None,
    *,
    timeouts: Timeouts | None = None,
    zone: ZoneInfo = LONDON,
    **switches: object,
) -> AsyncIterator[Simulated]:
    """The client and the provider, with real connections between them."""
    app, stopwatch = build_provider(config)
    async with (
        serving(app) as url,
        make_client(f"{url}/api", timeouts=timeouts, zone=zone) as client,
    ):
        simulated = Simulated(app, client, stopwatch)
        simulated.throw(**switches)
        yield simulated


@asynccontextmanager
async def simulated_in_process(config: SimulatorConfig | None = None) -> AsyncIterator[Simulated]:
    """The client and the provider without a socket between them."""
    app, stopwatch = build_provider(config)
    url = "http://provider.example.com/api"
    async with make_client(url, pool=TransportPool(httpx2.ASGITransport(app))) as client:
        yield Simulated(app, client, stopwatch)


def make_client(url: str, **options: Any) -> ProviderClient:
    # Loading the system's certificates takes longer than most tests, and none is needed here.
    options.setdefault("tls", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    options.setdefault("zone", LONDON)
    return ProviderClient(TOKEN, url=url, **options)
