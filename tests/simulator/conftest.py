"""One simulator on a real socket for all tests of a process, emptied before each of them."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import httpx2
import pytest

from app.simulator.application import build_simulator
from app.simulator.serving import serving
from app.simulator.state.clock import SimulatorClock
from tests.simulator.play import START, Played, Wire, make_config


@pytest.fixture(scope="session")
def live_url() -> Iterator[str]:
    started: Future[str] = Future()
    stop: Future[None] = Future()

    async def live() -> None:
        app = build_simulator(make_config(), SimulatorClock(START, speed=0))
        async with serving(app) as url:
            started.set_result(url)
            await asyncio.wrap_future(stop)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    yield started.result(timeout=30)
    stop.set_result(None)
    thread.join(timeout=30)


@pytest.fixture(scope="session")
def live_client(live_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=live_url, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
def wire(live_url: str, live_client: httpx2.Client) -> Wire:
    wire = Wire(live_url, live_client)
    wire.order("POST", "reset").raise_for_status()
    return wire


@pytest.fixture
def played() -> Played:
    return Played()
