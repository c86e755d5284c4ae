"""The running application, for every test of the REST interface."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.api.both import Both
from tests.api.post import Post, open_post
from tests.api.running import Running, running
from tests.support.simulated import simulated_in_process


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """The application on either database."""
    async with running(database_url, tmp_path) as started:
        yield started


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    """The application on either database, with a provider behind it."""
    async with open_post(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def lone_post(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Post]:
    """The same on SQLite, for what does not depend on the database."""
    async with open_post(sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture
async def lone_api(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Running]:
    """The application on SQLite, for what does not depend on the database."""
    async with running(sqlite_url, tmp_path) as started:
        yield started


@pytest.fixture
async def both(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Both]:
    """The same with the simulated provider at hand."""
    async with (
        simulated_in_process() as provider,
        running(sqlite_url, tmp_path, provider=provider.client) as api,
    ):
        yield Both(api, provider)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_lone_post(
    shared_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Post]:
    """The same with a provider, for tests that are refused and so leave it as it is."""
    async with open_post(shared_sqlite_url, tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_lone_api(
    shared_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """The same without one."""
    async with running(shared_sqlite_url, tmp_path_factory.mktemp("shared")) as started:
        yield started
