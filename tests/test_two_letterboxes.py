"""Two Letterboxes whose rules answer everything text each other, and fall silent by themselves."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.domain.rules.rules import Rule
from app.flows.operations.processes.keep_time import utc_now
from app.main import build_app
from app.provider.client import ProviderClient
from app.runtime import Runtime
from app.settings import Settings
from app.simulator.application import SimulatorApp, build_simulator
from app.simulator.state.clock import SimulatorClock
from app.simulator.state.config import AccountConfig, NumberConfig, SimulatorConfig
from app.storage.access.secrets import register_secret
from app.storage.db.database import Connection, Database
from app.storage.rules.rules import add_rule
from app.wiring import open_runtime
from app.worker import run_flows
from tests.support.outbox import LONDON
from tests.support.service import API_KEY, AUTH
from tests.support.transports import TransportPool

NUMBERS = {"one": "447700900001", "two": "447700900011"}
PER_HOUR = 2
PATIENCE_SECONDS = 40.0


@pytest.fixture(params=["sqlite", "postgresql"])
def two_urls(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path
) -> Iterator[list[str]]:
    """Two migrated databases of either kind."""
    if request.param == "sqlite":
        paths = [tmp_path / f"{name}.sqlite3" for name in NUMBERS]
        for path in paths:
            shutil.copy(sqlite_template, path)
        yield [f"sqlite:///{path}" for path in paths]
        return
    server = request.getfixturevalue("postgres_server")
    databases = request.getfixturevalue("postgres_databases")
    with databases.lend() as one, databases.lend() as two:
        yield [server.url(one), server.url(two)]


class Roads(httpx2.AsyncBaseTransport):
    """The network between the provider and those who take its forwards."""

    def __init__(self) -> None:
        self.ends: dict[str, httpx2.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self.ends[request.url.host].handle_async_request(request)


@asynccontextmanager
async def answering(
    url: str, folder: Path, provider: SimulatorApp, name: str
) -> AsyncIterator[Runtime]:
    """A whole Letterbox with its workers, whose one rule answers everything."""
    client = ProviderClient(
        f"token-{name}",
        url="http://provider.test/api",
        zone=LONDON,
        pool=TransportPool(httpx2.ASGITransport(provider)),
    )
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=url,
        data_dir=folder,
        inbound_auth=SecretStr(AUTH),
        api_key=SecretStr(API_KEY),
        send_per_second=1000,
        replies_per_hour=PER_HOUR,
        # Or they would fall silent sooner.
        reply_quiet_seconds=0,
    )
    runtime = open_runtime(settings, "web", provider=client)
    await runtime.start(on_failure=lambda: None)
    try:
        rule = Rule(name="all", timezone="UTC", reply=f"This is {name}; you wrote: {{body}}")
        await runtime.database.write(add_rule, rule, now=utc_now())
        runtime.spawn(run_flows(runtime))
        yield runtime
    finally:
        await runtime.close()


async def relay(provider: SimulatorApp) -> None:
    """The network delivers what either sends, as it would: the simulated provider does not."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(provider), base_url="http://provider.test"
    ) as control:
        sent = provider.simulator.world.outgoing.texts
        place = 0
        while True:
            for each in sent[place:]:
                place += 1
                await say(control, each.source, each.destination, each.body)
            await asyncio.sleep(0.01)


async def say(control: httpx2.AsyncClient, source: str, dest: str, body: str) -> None:
    order = {"source": source, "dest": dest, "body": body, "wait_seconds": 5}
    answer = await control.post("/_simulator/texts", json=order)
    assert answer.status_code == 201, answer.text


def list_outcomes(conn: Connection) -> list[str | None]:
    rows = conn.execute(text("SELECT outcome FROM messages ORDER BY id"))
    return [row.outcome for row in rows]


async def test_two_that_answer_everything_fall_silent_within_the_budget(
    two_urls: list[str], tmp_path: Path
) -> None:
    roads = Roads()
    config = SimulatorConfig(
        accounts=tuple(AccountConfig(username=name, token=f"token-{name}") for name in NUMBERS),
        numbers=tuple(
            NumberConfig(number=number, username=name, url=f"http://{name}.test/inbound", auth=AUTH)
            for name, number in NUMBERS.items()
        ),
    )
    provider = build_simulator(config, SimulatorClock(utc_now()), transport=roads)
    async with AsyncExitStack() as stack:
        runtimes = []
        for name, url in zip(NUMBERS, two_urls, strict=True):
            box = await stack.enter_async_context(answering(url, tmp_path / name, provider, name))
            roads.ends[f"{name}.test"] = httpx2.ASGITransport(build_app(box))
            runtimes.append(box)
        relaying = asyncio.create_task(relay(provider))
        stack.callback(relaying.cancel)
        one, two = runtimes
        control = await stack.enter_async_context(
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(provider), base_url="http://provider.test"
            )
        )
        await say(control, NUMBERS["one"], NUMBERS["two"], "Hello")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while "budget" not in await two.database.read(list_outcomes):
                assert not relaying.done(), relaying.exception()
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)  # were it not silent, several more would go out in that time
        assert await two.database.read(list_outcomes) == ["replied"] * PER_HOUR + ["budget"]
        assert await one.database.read(list_outcomes) == ["replied"] * PER_HOUR
        assert len(provider.simulator.world.outgoing.texts) == 2 * PER_HOUR


async def test_processes_that_start_together_register_a_secret_once(database: Database) -> None:
    def register(conn: Connection) -> bool:
        return register_secret(conn, "api_key", "the same", generated=True)

    assert await asyncio.gather(*(database.write(register) for _ in range(8))) == [True] * 8
    other = partial(register_secret, name="api_key", secret="another", generated=True)
    assert not await database.write(other)
