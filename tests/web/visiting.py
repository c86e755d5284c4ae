"""People who look at the pages of the application in this process, as their browsers ask."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from app.domain.inbound.messages import InboundMessage
from app.flows.access.sign_in import make_login_link
from app.provider.client import ProviderClient
from tests.api.running import BASE_URL, Running, running
from tests.support.simulated import simulated_in_process


@dataclass
class Visitor:
    """A browser with cookies of its own; forms carry our own Origin unless told otherwise."""

    running: Running
    client: httpx2.AsyncClient

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.client.get(path, **options)

    async def read(self, path: str) -> str:
        """The text of a page that must be well."""
        answer = await self.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    async def post(
        self,
        path: str,
        data: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        sent = {"Origin": BASE_URL} if headers is None else dict(headers)
        return await self.client.post(path, data=data or {}, headers=sent)

    async def submit(self, path: str, data: Mapping[str, Any] | None = None) -> str:
        """Send a form that must be taken; the text of the page that it leads to."""
        answer = await self.post(path, data)
        assert answer.status_code == 303, answer.text
        return await self.read(answer.headers["location"])

    async def receive(self, *messages: InboundMessage) -> None:
        """Have texts come in, and be handled."""
        await self.running.store(*messages)

    async def make_link(self, name: str = "Ada") -> str:
        """The token of a link that signs in."""
        return await make_login_link(
            self.running.runtime.database, name, who="cli:tests", now=self.running.clock.now
        )

    async def sign_in(self, name: str = "Ada") -> None:
        answer = await self.post("/sign-in/link", {"link": await self.make_link(name)})
        assert answer.status_code == 303, answer.text


@asynccontextmanager
async def visiting(
    database_url: str,
    folder: Path,
    *,
    name: str | None = "Ada",
    provider: ProviderClient | None = None,
    **settings: Any,
) -> AsyncIterator[Visitor]:
    """The whole application and somebody who has signed in, unless `name` is None."""
    async with (
        running(database_url, folder, provider, **settings) as started,
        browsing(started) as visitor,
    ):
        if name is not None:
            await visitor.sign_in(name)
        yield visitor


@asynccontextmanager
async def visiting_with_account(
    database_url: str, folder: Path, **options: Any
) -> AsyncIterator[Visitor]:
    """The same where an account of the simulated provider is set up."""
    async with (
        simulated_in_process() as provider,
        visiting(database_url, folder, provider=provider.client, **options) as visitor,
    ):
        yield visitor


@asynccontextmanager
async def browsing(started: Running) -> AsyncIterator[Visitor]:
    """One more browser that nobody has signed in with."""
    transport = httpx2.ASGITransport(started.app)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield Visitor(started, client)
