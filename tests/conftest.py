"""What many tests stand on: both databases, migrated, and a clock that stands still."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from app.storage.database import Database, open_database
from app.storage.migrate import migrate
from tests.support.kit import Kit, open_kit
from tests.support.postgres import PostgresServer, running_postgres

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real server for this test process."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database."""
    name = f"test_{uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind, as DATABASE_URL names it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/letterbox.sqlite3"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database of either kind."""
    path = Path(database_url.removeprefix("sqlite:///"))
    opened = open_database(database_url, path)
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """The whole web application in process, on either database."""
    async with open_kit(database_url, tmp_path / "data") as opened:
        yield opened
