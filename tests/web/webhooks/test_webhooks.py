"""The pages of webhooks, without JavaScript: add, change, test, send again, rotate and remove."""

import re

import pytest

from app.storage.webhooks.deliveries import list_deliveries
from app.storage.webhooks.endpoints import list_webhooks
from tests.web.visiting import Visitor

URL = "https://example.com/texts?<b>"
FORM = {"url": URL, "types": "message.received"}


async def add(visitor: Visitor, **changes: str) -> str:
    return await visitor.submit("/webhooks", FORM | changes)


async def test_the_secret_of_a_new_webhook_is_shown_once(visitor: Visitor) -> None:
    assert "No webhooks yet" in await visitor.read("/webhooks")
    page = await add(visitor, ordered="on")
    match = re.search(r"whsec_[\w+/=]+", page)
    assert match is not None
    again = await visitor.read("/webhooks")
    assert "https://example.com/texts?%3Cb%3E" in again
    assert "whsec_" not in again
    [stored] = await visitor.running.runtime.database.read(list_webhooks, before=None, limit=5)
    assert (stored.types, stored.ordered) == (("message.received",), True)
    audit = await visitor.read("/audit")
    assert match.group() not in audit


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"url": "http://example.com"}, "It must begin with https://"),
        ({"url": "https://10.0.0.1/"}, "This is not a public address"),
        ({"types": ""}, "There is no type"),
    ],
)
async def test_what_is_wrong_stands_at_its_field(
    lone_visitor: Visitor, changes: dict[str, str], error: str
) -> None:
    answer = await lone_visitor.post("/webhooks", FORM | changes)
    assert answer.status_code == 422
    assert error in answer.text


async def test_a_webhook_is_changed_disabled_enabled_and_removed(visitor: Visitor) -> None:
    await add(visitor)
    page = await visitor.submit("/webhooks/1", FORM | {"url": "https://example.com/new"})
    assert "Saved." in page
    assert "https://example.com/new" in page
    assert "Nothing is delivered." in await visitor.submit(
        "/webhooks/1/state", {"state": "disabled"}
    )
    page = await visitor.submit("/webhooks/1/state", {"state": "active"})
    assert "What it has missed is delivered now." in page
    assert "whsec_" in await visitor.submit("/webhooks/1/rotate", {})
    page = await visitor.submit("/webhooks/1/remove", {})
    assert "No webhooks yet" in page


async def test_a_test_and_what_was_delivered_have_a_page(visitor: Visitor) -> None:
    await add(visitor)
    page = await visitor.submit("/webhooks/1/test", {})
    assert "A test is on its way." in page
    assert "webhook.test" in page
    [queued] = await visitor.running.runtime.database.read(list_deliveries, 1, before=None, limit=5)
    assert queued.state == "waiting"
    page = await visitor.submit(f"/webhooks/1/deliveries/{queued.id}", {})
    assert "The delivery is sent again." in page


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"what": "failed"}, "0 failed deliveries are sent again."),
        ({"what": "since", "since": ""}, "Enter a date and a time."),
        ({"what": "since", "since": "2020-01-01T10:00"}, "events are kept for seven days"),
        ({"what": "since", "since": "2026-06-01T10:00"}, "Everything since then"),
    ],
)
async def test_what_is_sent_again_is_said(
    lone_visitor: Visitor, form: dict[str, str], text: str
) -> None:
    await add(lone_visitor)
    assert text in await lone_visitor.submit("/webhooks/1/replay", form)
