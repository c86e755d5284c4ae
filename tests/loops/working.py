"""A worker of this process, and what it is given to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.domain.outbound.requests import OutboundRequest
from app.domain.rules.rules import Rule
from app.flows.operations.processes.keep_time import utc_now
from app.provider.client import ProviderClient
from app.runtime import Runtime
from app.settings import Settings
from app.storage.db.database import Database, open_database
from app.storage.inbound.inbound import make_inserter
from app.storage.outbound.outbox import Addressee
from app.storage.rules.rules import add_rule
from app.wiring import open_runtime
from app.worker import run_flows
from tests.support.messages import make_message
from tests.support.outbox import ADA, OURS, Outbox, add_outbound, open_outbox
from tests.support.service import API_KEY, AUTH

PATIENCE_SECONDS = 30.0


@dataclass
class Worker:
    """A worker of this process; `ahead` is how much its clock goes before the real one."""

    runtime: Runtime
    ahead: list[timedelta]
    flows: asyncio.Task[None]


@asynccontextmanager
async def working(
    database_url: str, folder: Path, provider: ProviderClient | None, **settings: Any
) -> AsyncIterator[Worker]:
    ahead = [timedelta()]

    def now() -> datetime:
        return utc_now() + ahead[0]

    chosen = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        data_dir=folder,
        inbound_auth=SecretStr(AUTH),
        api_key=SecretStr(API_KEY),
        send_per_second=1000,
        **settings,
    )
    runtime = open_runtime(chosen, "work", provider=provider, now=now)
    await runtime.start(on_failure=lambda: None)
    try:
        yield Worker(runtime, ahead, runtime.spawn(run_flows(runtime)))
    finally:
        await runtime.close()


async def wait_for(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Outbox]:
    database = open_database(database_url, Path())
    async with open_outbox(database) as outbox:
        yield outbox
    await database.close()


async def has_status(outbox: Outbox, status: str, number: int = 1) -> bool:
    return await outbox.status(number) == status


async def add_keyword_rule(database: Database) -> None:
    rule = Rule(name="hours", keyword="hours", timezone="UTC", reply="We open at nine")
    await database.write(add_rule, rule, now=utc_now())


async def receive_text(runtime: Runtime) -> None:
    """As the intake does in a web process."""
    now = utc_now()
    text = make_message(1, source=ADA, dest=OURS, body="hours", received_at=now, arrived_at=now)
    inserter = make_inserter(runtime.database)
    await inserter.insert([text], now)
    inserter.abandon()
    runtime.wakeups.notify("messages")


async def queue(runtime: Runtime, **fields: Any) -> int:
    """As an endpoint does: committed, then rung."""
    new = OutboundRequest(**{"source": OURS, "body": "Hello", **fields})
    added = await runtime.database.write(add_outbound, new, Addressee(ADA), utc_now())
    assert added is not None
    runtime.wakeups.notify("outbound")
    return added
