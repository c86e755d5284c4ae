"""The application with something to send: a provider, and a rule that answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.kit import Kit, open_kit
from tests.support.simulated import simulated_in_process


@asynccontextmanager
async def open_answering_kit(database_url: str, folder: Path) -> AsyncIterator[Kit]:
    async with (
        simulated_in_process() as provider,
        open_kit(database_url, folder, provider.client) as opened,
    ):
        rule = {"name": "Hours", "keyword": "hours", "timezone": "UTC", "reply": "9 to 5"}
        assert (await opened.client.post("/api/v1/rules", json=rule)).status_code == 201
        yield opened
