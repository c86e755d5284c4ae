"""The bench on either database."""

from collections.abc import AsyncIterator

import pytest

from app.storage.db.database import Database
from tests.flows.operations.notifications.bench import Bench
from tests.support.endpoints.notify_target import serving_target


@pytest.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    async with serving_target() as target:
        made = Bench(database, target)
        yield made
        for notifier in made.notifiers:
            await notifier.end()
