"""Who looks at the pages: somebody in this process, and a real browser over a served Letterbox."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from app.cli.process.demo import playing
from app.simulator.application import SimulatorApp, build_simulator
from app.simulator.state.clock import start_clock
from app.simulator.state.config import demo_config
from tests.e2e.stores import SqliteStore
from tests.support.chromium import ARGUMENTS, MISSING, find_chromium
from tests.support.fixtures import on_either, on_sqlite, shared_on_either, shared_on_sqlite
from tests.support.service import AUTH, Service, find_free_port, running
from tests.web.browser import PATIENCE_MS, Desk
from tests.web.visiting import visiting

PASSWORD = "a-password-of-the-tests"
NAME = "Grace"
TOKEN = "demo-token"

# Somebody who is signed in, for what needs no real browser.
visitor = on_either(visiting)
lone_visitor = on_sqlite(visiting)
shared_visitor = shared_on_either(visiting)
shared_lone_visitor = shared_on_sqlite(visiting)


@dataclass(frozen=True, slots=True)
class Office:
    """A service with an account at the simulated provider, both running for all tests.

    What one test does the others see: each takes numbers of its own.
    """

    service: Service
    simulator: SimulatorApp
    provider: str

    @property
    def world(self) -> Any:
        return self.simulator.simulator.world

    def add_number(self, number: str, **fields: Any) -> None:
        """Configure a number of ours, unless another test has."""
        answer = self.service.call("/numbers", method="POST", body={"number": number, **fields})
        assert answer.status in {201, 409}, answer

    def receive(self, source: str, dest: str, body: str, auth: str = AUTH) -> None:
        """Somebody texts a number of ours, which the provider forwards with that value."""
        url = f"{self.service.url}/inbound"
        number = {"number": dest, "username": "demo", "url": url, "auth": auth}
        self.order("PUT", "numbers", number)
        self.order("POST", "texts", {"source": source, "dest": dest, "body": body})

    def settle_texts(self) -> None:
        """Texts that went out come to their end now, and the service asks at once, not in time."""
        self.order("PATCH", "clock", {"advance_seconds": 120})
        SqliteStore(self.service.folder / "letterbox.sqlite3").hurry()

    def order(self, method: str, path: str, order: Any = None) -> Any:
        """Order something of the simulated provider."""
        content = None if order is None else json.dumps(order).encode()
        asked = Request(f"{self.provider}/_simulator/{path}", content, method=method)
        with urlopen(asked, timeout=30) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The service that most pages are looked at on."""
    port = find_free_port()
    config = demo_config(f"http://127.0.0.1:{port}/inbound", AUTH)
    simulator = build_simulator(config, start_clock())
    folder = tmp_path_factory.mktemp("office") / "data"
    with (
        playing(simulator) as provider,
        running(
            folder,
            port=port,
            provider_url=f"{provider}/api",
            provider_token=TOKEN,
            admin_password=PASSWORD,
        ) as service,
    ):
        yield Office(service, simulator, provider)


@pytest.fixture(scope="session")
def bare_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on its first day: nothing in it, and no account at the provider."""
    folder = tmp_path_factory.mktemp("bare") / "data"
    with running(folder, admin_password=PASSWORD, inbound_auth=None) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests; each opens its pages in a context of its own."""
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        found = find_chromium(Path(playwright.chromium.executable_path))
        if found is None:
            pytest.fail(MISSING, pytrace=False)
        opened = await playwright.chromium.launch(executable_path=found, args=[*ARGUMENTS])
        yield opened
        await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desk(browser: Browser, office: Office) -> Desk:
    """Pages of the office, signed in."""
    return await sign_in(browser, office.service)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bare_desk(browser: Browser, bare_service: Service) -> Desk:
    """Pages of the service on its first day, signed in."""
    return await sign_in(browser, bare_service)


async def sign_in(browser: Browser, service: Service) -> Desk:
    """A desk whose pages begin signed in."""
    context = await browser.new_context(base_url=service.url)
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.fill("[name=name]", NAME)
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button.primary")
    await page.wait_for_url(lambda url: "/sign-in" not in url)
    state = await context.storage_state()
    await context.close()
    return Desk(browser, service.url, state)
