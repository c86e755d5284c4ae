"""The mail room on either database."""

from collections.abc import AsyncIterator

import pytest

from app.storage.db.database import Database
from tests.flows.webhooks.mail_room import MailRoom, open_mail_room


@pytest.fixture
async def room(database: Database) -> AsyncIterator[MailRoom]:
    async with open_mail_room(database) as opened:
        yield opened
