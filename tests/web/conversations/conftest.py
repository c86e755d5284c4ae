"""Clerks to whom Ada has written once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.fixtures import on_either, on_sqlite
from tests.web.conversations.thread import hear
from tests.web.visiting import Visitor, visiting_with_account


@asynccontextmanager
async def answering(database_url: str, folder: Path) -> AsyncIterator[Visitor]:
    """Somebody with an account of a provider, to whom Ada has written once."""
    async with visiting_with_account(database_url, folder) as visitor:
        await visitor.receive(hear(1, "Are you open?"))
        yield visitor


clerk = on_either(answering)
lone_clerk = on_sqlite(answering)
