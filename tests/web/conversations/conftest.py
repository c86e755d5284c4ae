"""Clerks to whom Ada has written once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.web.conversations.thread import hear
from tests.web.visiting import Visitor, visiting_with_account


@asynccontextmanager
async def answering(database_url: str, folder: Path) -> AsyncIterator[Visitor]:
    """Somebody with an account of a provider, to whom Ada has written once."""
    async with visiting_with_account(database_url, folder) as visitor:
        await visitor.receive(hear(1, "Are you open?"))
        yield visitor


@pytest.fixture
async def clerk(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with answering(database_url, tmp_path) as visitor:
        yield visitor


@pytest.fixture
async def lone_clerk(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    """On SQLite, for what does not depend on the database."""
    async with answering(sqlite_url, tmp_path) as visitor:
        yield visitor
