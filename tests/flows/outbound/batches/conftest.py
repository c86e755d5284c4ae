"""An outbox for batches."""

from collections.abc import AsyncIterator

import pytest

from app.storage.db.database import Database
from tests.support.outbox import Outbox, open_outbox


@pytest.fixture
async def outbox(database: Database) -> AsyncIterator[Outbox]:
    """One whose provider takes every number."""
    async with open_outbox(database, magic_numbers=False) as opened:
        yield opened
