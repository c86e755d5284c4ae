"""Whoever is about to write is told why nothing would be sent; only admins are led to the cause."""

from pathlib import Path

import pytest

from app.flows.outbound.sending.pause_sending import pause_sending
from app.storage.access.members import add_member
from app.storage.operations.alerts import list_alerts
from tests.support.messages import make_message
from tests.web.visiting import browsing, visiting, visiting_with_account

PAGES = ("/", "/new", "/conversations/1")


async def test_composers_and_the_inbox_say_that_no_account_is_set_up(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with visiting(sqlite_url, tmp_path) as visitor:
        await visitor.receive(make_message(1))
        for path in PAGES:
            assert "No provider account is set up" in await visitor.read(path), path


@pytest.mark.alike
async def test_composers_and_the_inbox_say_who_paused_sending(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        visiting_with_account(database_url, tmp_path) as visitor,
        browsing(visitor.running) as clerk,
    ):
        await visitor.receive(make_message(1))
        database, now = visitor.running.runtime.database, visitor.running.clock.now
        for path in PAGES:
            assert "Sending is" not in await visitor.read(path), path
        await database.write(pause_sending, "member:mem_1", "stocktaking", now)
        await database.write(add_member, "Grace", "office", "active", now)
        await clerk.sign_in("Grace")
        for path in PAGES:
            page, other = await visitor.read(path), await clerk.read(path)
            assert "Sending is paused by Ada (stocktaking)" in page, path
            assert "See the overview" in page
            assert "Sending is paused by Ada (stocktaking)" in other, path
            assert "See the overview" not in other
        [alert] = await database.read(list_alerts, before=None, limit=9)
        assert alert.text == "Ada paused sending: stocktaking"
        assert "/api/" not in alert.action
        for page in ("/alerts", "/overview"):
            assert "member:" not in await visitor.read(page)
