"""Runs the real application in this process, as a client and the provider see it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from app.api.rest import build_rest
from app.domain.inbound.messages import InboundMessage
from app.flows.inbound.handle import handle_batch
from app.provider.client import ProviderClient
from app.runtime import Runtime
from app.settings import Settings
from app.storage.inbound.inbound import make_inserter
from app.wiring import open_runtime
from tests.conftest import NOW
from tests.support.shared_parts import build_with_shared_parts

BASE_URL = "https://texts.example.com"
ADMIN_KEY = "an-api-key-of-the-tests-with-32-characters"
AUTH = "an-auth-value-of-the-tests"
ASGIApp = Callable[..., Coroutine[Any, Any, None]]


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Running:
    """A started application; requests carry the full-scope key unless told otherwise."""

    runtime: Runtime
    app: Any
    client: httpx2.AsyncClient
    clock: Clock

    async def call(
        self, method: str, path: str, *, key: str | None = ADMIN_KEY, **options: Any
    ) -> httpx2.Response:
        """A request to a path under /api/v1, or to any other that begins with it."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        headers |= options.pop("headers", {})
        return await self.client.request(method, address, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.call("GET", path, **options)

    async def read(self, path: str, **options: Any) -> Any:
        """The JSON of an answer that must be well."""
        answer = await self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of a change that must succeed; None for an empty answer."""
        answer = await self.call(method, path, json=body, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def store(self, *messages: InboundMessage, handled: bool = True) -> None:
        """Have messages in the database, as the intake stores them."""
        inserter = make_inserter(self.runtime.database)
        await inserter.insert(messages, self.clock.now)
        inserter.abandon()
        if handled:
            await self.handle()

    async def handle(self) -> None:
        """Run the handle flow until its queue is empty."""
        while await self.runtime.database.write(handle_batch, self.clock.now):
            pass
        self.runtime.wakeups.notify("events")

    async def make_key(self, *scopes: str, name: str = "test") -> dict[str, Any]:
        made: dict[str, Any] = await self.send(
            "POST", "/keys", {"name": name, "scopes": list(scopes)}
        )
        return made


@asynccontextmanager
async def running(
    database_url: str, folder: Path, provider: ProviderClient | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """The whole application on that database, with a clock that stands still and no worker."""
    clock = Clock()
    runtime = _open(database_url, folder, clock, settings, provider)
    built = build_with_shared_parts(runtime)
    async with _started(built) as app, _connected(app) as client:
        # On a machine with other work a server may need longer than a start waits for it.
        await runtime.prepared.wait()
        yield Running(runtime, app, client, clock)


@asynccontextmanager
async def running_rest(
    database_url: str, folder: Path, *, recheck_seconds: float
) -> AsyncIterator[Running]:
    """The REST interface alone, which looks at a stream's key so often."""
    clock = Clock()
    runtime = _open(database_url, folder, clock, {})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await runtime.start(on_failure=lambda: None)
        yield
        await runtime.close()

    rest = build_rest(runtime, lifespan=lifespan, recheck_seconds=recheck_seconds)
    async with _started(rest) as app, _connected(app) as client:
        await runtime.prepared.wait()
        yield Running(runtime, app, client, clock)


def _open(
    database_url: str,
    folder: Path,
    clock: Clock,
    settings: dict[str, Any],
    provider: ProviderClient | None = None,
) -> Runtime:
    options = {
        "database_url": database_url,
        "data_dir": folder / "data",
        "public_url": BASE_URL,
        "api_key": ADMIN_KEY,
        "inbound_auth": AUTH,
        "run_workers": False,
    }
    chosen: dict[str, Any] = {"_env_file": None, **options, **settings}
    return open_runtime(Settings(**chosen), "web", provider=provider, now=clock)


@asynccontextmanager
async def _started(app: Any) -> AsyncIterator[Any]:
    """The application between the two ends of its lifespan, as a server drives it."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    life = asyncio.create_task(app(scope, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    started = await from_app.get()
    assert started["type"] == "lifespan.startup.complete", started
    try:
        yield app
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        ended = await from_app.get()
        await life
    assert ended["type"] == "lifespan.shutdown.complete", ended


@asynccontextmanager
async def _connected(app: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://elsewhere.test") as client:
        yield client


def list_ids(page: dict[str, Any]) -> Sequence[str]:
    """The provider's ids of a page's messages."""
    return [item["provider_id"] for item in page["items"]]
