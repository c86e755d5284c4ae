"""The service behind its connections."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.kit import Kit, open_kit


@pytest.fixture
async def kit(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Kit]:
    """On SQLite alone: what is behind the connections makes no difference to them."""
    async with open_kit(sqlite_url, tmp_path) as opened:
        yield opened
