"""Somebody who is signed in to the pages, for every test of them that needs no real browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.visiting import Visitor, visiting


@pytest.fixture
async def visitor(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    """On either database."""
    async with visiting(database_url, tmp_path) as signed_in:
        yield signed_in


@pytest.fixture
async def lone_visitor(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    """On SQLite, for what does not depend on the database."""
    async with visiting(sqlite_url, tmp_path) as signed_in:
        yield signed_in
