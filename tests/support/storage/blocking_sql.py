"""SQL for callers that wait for it, also inside a running event loop."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import asyncpg

Result = TypeVar("Result")


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def run_in_thread(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, also for a caller inside a running event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def execute(url: str, sql: str, timeout_seconds: float) -> None:
    async with asyncio.timeout(timeout_seconds):
        connection = await asyncpg.connect(url, ssl=False)
        try:
            await connection.execute(sql)
        finally:
            connection.terminate()


async def fetch(url: str, sql: str, timeout_seconds: float) -> list[tuple[Any, ...]]:
    async with asyncio.timeout(timeout_seconds):
        connection = await asyncpg.connect(url, ssl=False)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            connection.terminate()
