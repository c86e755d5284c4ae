"""The page of notifications, without JavaScript: add, change, test, disable and remove."""

import re

import pytest

from app.storage.operations.notify_addresses import (
    begin_attempt,
    list_addresses,
    note_failed,
)
from tests.conftest import NOW
from tests.web.visiting import Visitor

ADDRESS = "mailto://robot:hunter2hunter2@mail.example.com"
FORM = {"address": ADDRESS, "name": "On-call <b>", "alerts": "on", "zone": "Europe/London"}


async def add(visitor: Visitor, **changes: str) -> str:
    """Add an address; the page that follows."""
    return await visitor.submit("/notifications", FORM | changes)


async def test_an_address_is_added_masked_and_gets_a_test(visitor: Visitor) -> None:
    assert "Nobody is notified yet" in await visitor.read("/notifications")
    page = await add(visitor, texts="on", summary_at="08:00")
    assert "Added On-call &lt;b&gt; (mailto://….com). A test message is on its way." in page
    assert "Test on its way" in page
    assert "a summary at 08:00 (Europe/London)" in page
    assert "hunter2" not in page
    [stored] = await visitor.running.runtime.database.read(list_addresses)
    assert stored.is_test_due
    audit = await visitor.read("/audit")
    assert "notify.add" in audit
    assert "hunter2" not in audit


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"address": "robot:hunter2@example.com"}, 422, "Write an Apprise address"),
        ({"quiet_from": "22:00"}, 422, "Quiet hours need a beginning and an end"),
        ({"zone": "Mars"}, 422, "No such time zone"),
        ({"name": "x" * 61}, 422, "Write at most 60 characters"),
    ],
)
async def test_what_is_wrong_stands_at_its_field_and_no_secret_comes_back(
    lone_visitor: Visitor, changes: dict[str, str], status: int, error: str
) -> None:
    answer = await lone_visitor.post("/notifications", FORM | changes)
    assert answer.status_code == status
    assert error in answer.text
    assert "hunter2" not in answer.text
    assert await lone_visitor.running.runtime.database.read(list_addresses) == []


async def test_an_address_is_changed_disabled_enabled_tested_and_removed(visitor: Visitor) -> None:
    page = await add(visitor)
    match = re.search(r"/notifications/\d+", page)
    assert match is not None
    one = match[0]
    assert 'value="Europe/London"' in await visitor.read(one)
    page = await visitor.submit(one, {"texts": "on", "zone": "UTC"})
    assert "Gets texts that need an answer." in page
    page = await visitor.submit(f"{one}/disable")
    assert "Disabled" in page
    assert (await visitor.post(f"{one}/test")).status_code == 409
    assert "go to this address again" in await visitor.submit(f"{one}/enable")
    assert "is on its way" in await visitor.submit(f"{one}/test")
    assert "which Letterbox does not show" in await visitor.read(f"{one}/remove")
    assert "Removed On-call" in await visitor.submit(f"{one}/remove")
    assert (await visitor.get(one)).status_code == 404
    assert (await visitor.post(f"{one}/remove")).status_code == 404


async def test_the_same_address_twice_is_refused(lone_visitor: Visitor) -> None:
    await add(lone_visitor)
    answer = await lone_visitor.post("/notifications", FORM)
    assert answer.status_code == 409
    assert "on the list already" in answer.text


async def test_the_last_error_is_shown(lone_visitor: Visitor) -> None:
    await add(lone_visitor)
    database = lone_visitor.running.runtime.database
    [stored] = await database.read(list_addresses)
    await database.write(begin_attempt, stored, NOW)
    await database.write(note_failed, stored.id, "login <refused>")
    page = await lone_visitor.read("/notifications")
    assert "login &lt;refused&gt;" in page
    assert "Failing" in page


async def test_each_alert_links_to_its_explanation(lone_visitor: Visitor) -> None:
    page = await lone_visitor.read("/alerts/help")
    assert 'id="disk-full"' in page
    assert "<code>spool/refused</code>" in page
