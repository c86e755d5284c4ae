"""Fixtures of what is opened over a database of its own and in a folder of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import pytest_asyncio

Opened = TypeVar("Opened")
# By the database's URL and the folder.
Opening = Callable[[str, Path], AbstractAsyncContextManager[Opened]]


def on_either(opening: Opening[Opened]) -> Any:
    """On SQLite and on PostgreSQL."""

    @pytest.fixture
    async def fixture(database_url: str, tmp_path: Path) -> AsyncIterator[Opened]:
        async with opening(database_url, tmp_path) as opened:
            yield opened

    return fixture


def on_sqlite(opening: Opening[Opened]) -> Any:
    """For what does not depend on the database."""

    @pytest.fixture
    async def fixture(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Opened]:
        async with opening(sqlite_url, tmp_path) as opened:
            yield opened

    return fixture


def shared_on_either(opening: Opening[Opened]) -> Any:
    """One for all those tests of a module that leave nothing behind."""

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def fixture(
        shared_database_url: str, tmp_path_factory: pytest.TempPathFactory
    ) -> AsyncIterator[Opened]:
        async with opening(shared_database_url, tmp_path_factory.mktemp("shared")) as opened:
            yield opened

    return fixture


def shared_on_sqlite(opening: Opening[Opened]) -> Any:
    """The same, for what does not depend on the database."""

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def fixture(
        shared_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory
    ) -> AsyncIterator[Opened]:
        async with opening(shared_sqlite_url, tmp_path_factory.mktemp("shared")) as opened:
            yield opened

    return fixture
