"""The whole web application in process, on both databases, with its flows run by hand."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from app.flows.inbound.handle import handle_batch
from app.main import WebApplication
from app.provider.client import ProviderClient
from app.runtime import Runtime
from app.settings import Settings
from app.wiring import open_runtime
from tests.support.service import API_KEY, AUTH, make_forward
from tests.support.shared_parts import build_with_shared_parts


@dataclass
class Kit:
    """The application, with a client that holds the full key."""

    client: httpx2.AsyncClient
    runtime: Runtime
    app: WebApplication

    async def forward(self, message_id: str = "1", **changes: str) -> httpx2.Response:
        return await self.client.get(f"/inbound?{make_forward(message_id, **changes)}")

    async def handle(self) -> None:
        while await self.runtime.database.write(handle_batch, self.runtime.now()):
            pass

    async def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of a request that succeeds."""
        answer = await self.client.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def find(self, **parameters: Any) -> list[str]:
        """The provider's ids of the messages that a list holds, by all its pages."""
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.get("/messages", **parameters, **cursor)
            found += [item["provider_id"] for item in page["items"]]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}


@asynccontextmanager
async def open_kit(
    database_url: str,
    data_dir: Path,
    provider: ProviderClient | None = None,
    *,
    inbound_auth: str = AUTH,
    now: Callable[[], datetime] | None = None,
    **settings_changes: Any,
) -> AsyncIterator[Kit]:
    """The application over an empty database, perhaps with an account of a provider, or a clock."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        data_dir=data_dir,
        inbound_auth=SecretStr(inbound_auth),
        api_key=SecretStr(API_KEY),
        run_workers=False,
        **settings_changes,
    )
    runtime = open_runtime(settings, "web", provider=provider, now=now)
    await runtime.start(on_failure=lambda: None)
    # On a machine with other work a server may need longer than a start waits for it.
    await runtime.prepared.wait()
    app = build_with_shared_parts(runtime)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://letterbox.test",
        headers={"Authorization": f"Bearer {API_KEY}"},
    ) as client:
        yield Kit(client, runtime, app)
    await runtime.close()
