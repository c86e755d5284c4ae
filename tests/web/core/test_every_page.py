"""What holds for every page in a real browser: on a phone and a desk, in light and dark."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from app.domain.ids import decode_id
from tests.support.service import wait_until
from tests.web.browser import (
    DESK,
    IN_BROWSER,
    PHONE,
    Desk,
    Tab,
    find_violations,
    measure_overflow,
)
from tests.web.conftest import Office

pytestmark = IN_BROWSER

# Nothing answers at this name.
HOOK = "https://hooks.example.invalid/texts"
PAGES = {
    "/": "Inbox",
    "/conversations/{id:int}": "+44 7700 900031",
    "/messages/{id:int}": "Original message",
    "/messages/{id:int}/delete": "Delete this message for good?",
    "/people": "People",
    "/people/{number:path}": "+44 7700 900031",
    "/new": "New message",
    "/new/check": "Check before sending",
    "/batches": "Batches",
    "/batches/new": "New batch",
    "/batches/{id:int}": "Check before sending",
    "/scheduled": "Scheduled",
    "/saved-replies": "Saved replies",
    "/saved-replies/{id:int}": "Opening hours",
    "/saved-replies/{id:int}/remove": "Remove the saved reply Opening hours?",
    "/outbox/{id:int}/edit": "Edit text",
    "/outbox": "Outbox",
    "/outbox/{id:int}": "Text to +44 7700 900032",
    "/rules": "Rules",
    "/rules/new": "New rule",
    "/rules/{id:int}": "Hours",
    "/rules/{id:int}/remove": "Remove the rule Hours?",
    "/overview": "Overview",
    "/overview/pause": "Pause sending?",
    "/numbers": "Numbers",
    "/numbers/{number}": "+44 7700 900001",
    "/numbers/{number}/remove": "Remove +44 7700 900001?",
    "/opt-outs": "Opt-outs",
    "/contacts": "Contacts",
    "/contacts/import": "Import contacts",
    "/contacts/imports/{id:int}": "Import of contacts",
    "/contacts/delete-all": "Delete all contacts?",
    "/groups": "Groups",
    "/groups/change": "Empty the group customers?",
    "/groups/delete-all": "Delete all groups?",
    "/reports": "The provider's reports",
    "/alerts": "Alerts",
    "/alerts/help": "What alerts mean",
    "/notifications": "Notifications",
    "/notifications/{id:int}": "On-call (json://….com)",
    "/notifications/{id:int}/remove": "Remove On-call (json://….com)?",
    "/webhooks": "Webhooks",
    "/webhooks/{id:int}": HOOK,
    "/webhooks/{id:int}/rotate": f"Create a new secret for {HOOK}?",
    "/webhooks/{id:int}/remove": f"Remove {HOOK}?",
    "/webhooks/{id:int}/deliveries/{delivery:int}": "webhook.test",
    "/refusals": "Rejected requests",
    "/keys": "API keys",
    "/keys/{id:int}/revoke": "Revoke the key shop?",
    "/erasures": "Erasures",
    "/erasures/{id:int}": "Number that ends in 039",
    "/audit": "Audit trail",
    "/members": "Members",
    "/members/sessions": "Who is signed in",
    "/members/{id:int}": "Grace",
    "/members/{id:int}/deactivate": "Deactivate Grace?",
    "/account": "Your account",
    "/sign-in": "Inbox",
}
# What a browser gets there is no page to look at, or is another one.
NO_PAGES = {
    "/account/password",
    "/conversations/{id:int}/sent/{text:int}",
    "/live",
    "/inbox/csv",
    "/unread",
    "/conversations/{id:int}/writing",
    "/static/{digest}/{name}",
    "/numbers/{number}/rotate",
    "/outbox/csv",
    "/batches/{id:int}/csv",
    "/opt-outs/csv",
    "/contacts/csv",
    "/reports/csv",
    "/audit/csv",
}
# An attribute that begins right behind another one's value is none for a browser.
GLUED = re.compile(r'="[^"<>]*"[^\s/>]+')
OURS = "447700900001"
SENDER = "447700900031"
SIZES_AND_SCHEMES: tuple[tuple[Mapping[str, int], Literal["light", "dark"]], ...] = (
    (DESK, "light"),
    (PHONE, "dark"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def addresses(desk: Desk, office: Office) -> Mapping[str, str]:
    """The pages that need something to show, with what it is."""
    office.add_number(OURS)
    text = {"to": "447700900032", "source": OURS, "body": "Your parcel is here."}
    sent = office.service.call("/outbound", method="POST", body=text)
    key = office.service.call("/keys", method="POST", body={"name": "shop", "scopes": ["admin"]})
    body = {"name": "Hours", "keyword": "hours", "reply": "From 9 to 17", "enabled": False}
    rule = office.service.call("/rules", method="POST", body=body)
    office.service.forward("page", dest=OURS, source=SENDER, receivedts="soon")
    wait_until(lambda: office.service.get(f"/conversations?source={SENDER}")["items"])
    [talk] = office.service.get(f"/conversations?source={SENDER}")["items"]
    office.service.forward("wrong", dest=OURS, auth="not-the-value")
    [grace] = [each for each in office.service.get("/members")["items"] if each["name"] == "Grace"]
    member = f"/members/{decode_id('mem', grace['id'])}"
    async with desk.open() as tab:
        await tab.page.goto("/contacts/import")
        await tab.page.fill("#csv", "Ada Lovelace,447700900011,ada@example.com,customers\nNobody,x")
        await tab.page.click("main .primary")
        await expect(tab.page.get_by_text("1 of 2 imported")).to_be_visible()
        shown = urlsplit(tab.page.url).path
        batch = await upload_batch(tab.page)
        preview = await write_message(tab.page)
        notified = await add_notified(tab)
    later = text | {"schedule_at": f"{datetime.now(UTC) + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"}
    waiting = office.service.call("/outbound", method="POST", body=later)
    saved = {"name": "Opening hours", "body": "Hello {name|there}, from 9 to 17."}
    reply = office.service.call("/saved-replies", method="POST", body=saved)
    reply_path = f"/saved-replies/{decode_id('rep', reply.json['id'])}"
    hook = office.service.call("/webhooks", method="POST", body={"url": HOOK}).json["id"]
    tried = office.service.call(f"/webhooks/{hook}/test", method="POST")
    erased = office.service.call("/erasures", method="POST", body={"number": "447700900039"})
    hooked = f"/webhooks/{decode_id('whk', hook)}"
    return {
        "/webhooks/{id:int}": hooked,
        "/webhooks/{id:int}/rotate": f"{hooked}/rotate",
        "/webhooks/{id:int}/remove": f"{hooked}/remove",
        "/webhooks/{id:int}/deliveries/{delivery:int}": (
            f"{hooked}/deliveries/{decode_id('dlv', tried.json['id'])}"
        ),
        "/people/{number:path}": f"/people/{SENDER}",
        "/new/check": preview,
        "/batches/{id:int}": batch,
        "/saved-replies/{id:int}": reply_path,
        "/saved-replies/{id:int}/remove": f"{reply_path}/remove",
        "/outbox/{id:int}/edit": f"/outbox/{decode_id('out', waiting.json['items'][0]['id'])}/edit",
        "/conversations/{id:int}": f"/conversations/{decode_id('cnv', talk['id'])}",
        "/messages/{id:int}": f"/messages/{decode_id('msg', talk['last_message']['id'])}",
        "/messages/{id:int}/delete": (
            f"/messages/{decode_id('msg', talk['last_message']['id'])}/delete"
        ),
        "/erasures/{id:int}": f"/erasures/{decode_id('era', erased.json['id'])}",
        "/outbox/{id:int}": f"/outbox/{decode_id('out', sent.json['items'][0]['id'])}",
        "/rules/{id:int}": f"/rules/{decode_id('rul', rule.json['id'])}",
        "/rules/{id:int}/remove": f"/rules/{decode_id('rul', rule.json['id'])}/remove",
        "/numbers/{number}": f"/numbers/{OURS}",
        "/numbers/{number}/remove": f"/numbers/{OURS}/remove",
        "/contacts/imports/{id:int}": shown,
        "/keys/{id:int}/revoke": f"/keys/{decode_id('key', key.json['id'])}/revoke",
        "/members/{id:int}": member,
        "/members/{id:int}/deactivate": f"{member}/deactivate",
        "/notifications/{id:int}": notified,
        "/notifications/{id:int}/remove": f"{notified}/remove",
        "/groups/change": "/groups/change?action=empty&name=customers",
        "/reports": "/reports?type=Messages&from=2026-06-01&to=2026-06-02",
    }


async def upload_batch(page: Page) -> str:
    """The path of a draft with good and bad rows."""
    await page.goto("/batches/new")
    rows = "number,name\n447700900011,Ada\nnobody,Bob\n4.47701E+11,Cy\n447700900012,\n"
    data = {"name": "people.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    await page.set_input_files("#file", data)  # type: ignore[arg-type]
    await page.fill("#body", "Hello {name|there}")
    await page.click("main .primary")
    await expect(page.get_by_role("heading", name="Row by row")).to_be_visible()
    return urlsplit(page.url).path


async def write_message(page: Page) -> str:
    """The address of a preview."""
    await page.goto("/new")
    # A draft of another kind may be there.
    await page.locator("[name=kind][value=to]").check()
    await page.fill("#to", "447700900011, 447700900012")
    await page.fill("#body", "We close at noon")
    await page.click("main .primary")
    await expect(page.get_by_role("button", name="Send to 2 numbers")).to_be_visible()
    return f"/new/check?{urlsplit(page.url).query}"


async def add_notified(tab: Tab) -> str:
    """An address of notifications, disabled so that no alert of other tests is sent to it."""
    await tab.page.goto("/notifications")
    await tab.page.fill("#address", "json://user:password@nowhere.example.com")
    await tab.page.fill("#name", "On-call")
    await tab.page.click("main .primary")
    await tab.page.get_by_role("button", name="Disable").click()
    await expect(tab.page.get_by_role("button", name="Enable")).to_be_visible()
    return str(await tab.page.get_by_role("link", name="Change").get_attribute("href"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tab(desk: Desk) -> AsyncIterator[Tab]:
    """One for all pages: to open it costs as much as to look at one."""
    async with desk.open() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bare_tab(bare_desk: Desk) -> AsyncIterator[Tab]:
    """One for all pages of the first day."""
    async with bare_desk.open(size=PHONE) as opened:
        yield opened


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_sound(tab: Tab, addresses: Mapping[str, str], path: str) -> None:
    await tab.page.goto(addresses.get(path, path))
    await expect(tab.page.locator("h1")).to_have_text(PAGES[path])
    await check(tab)
    assert tab.watch.take_faults() == []


# A preview belongs to a message that somebody has written.
FIRST_DAY = [path for path in PAGES if "{" not in path and path != "/new/check"]


@pytest.mark.parametrize("path", FIRST_DAY)
async def test_a_page_is_sound_on_the_first_day(bare_tab: Tab, path: str) -> None:
    await bare_tab.page.goto(path)
    await expect(bare_tab.page.locator("h1")).to_be_visible()
    assert await find_violations(bare_tab.page) == []
    assert await measure_overflow(bare_tab.page) == 0
    assert bare_tab.watch.take_faults() == []


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in?link=spent", "/nowhere"])
async def test_a_page_for_strangers_is_sound(desk: Desk, path: str) -> None:
    async with desk.open(signed_in=False) as tab:
        await tab.page.goto(path)
        await check(tab)


async def check(tab: Tab) -> None:
    """As it is on a desk in light, and on a phone in the dark."""
    source = await (await tab.page.request.get(tab.page.url)).text()
    assert GLUED.findall(source) == []
    for size, scheme in SIZES_AND_SCHEMES:
        await tab.page.set_viewport_size({"width": size["width"], "height": size["height"]})
        await tab.page.emulate_media(color_scheme=scheme)
        assert await measure_overflow(tab.page) == 0, scheme
        assert await find_violations(tab.page) == [], scheme
