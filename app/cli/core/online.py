"""How commands reach the provider: with the account from the settings."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.account import open_provider
from app.provider.client import ProviderClient
from app.settings import load_settings

T = TypeVar("T")


def run_on_provider(work: Callable[[ProviderClient], Awaitable[T]]) -> T:
    """Open the account, run `work` over it, and close it again.

    Raises NoProvider without a token, and ProviderError.
    """
    settings = load_settings()

    async def run() -> T:
        async with open_provider(settings) as client:
            return await work(client)

    return asyncio.run(run())
