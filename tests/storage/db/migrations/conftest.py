"""A database of either kind that no migration has seen."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.storage.db.database import Database, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def bare_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of either kind in which nothing stands."""
    url, name = "", f"test_{uuid4().hex}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = server.create_database(name)
    opened = open_database(url, tmp_path / "letterbox.sqlite3")
    yield opened
    await opened.close()
    if url:
        server.drop_database(name)
