"""The outbox in a real browser: what goes out through the simulated provider, and its end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from app.domain.ids import decode_id
from tests.support.service import wait_until
from tests.web.browser import IN_BROWSER, Desk
from tests.web.conftest import Office
from tests.web.conversations.test_accounts_in_browser import save

pytestmark = IN_BROWSER

OURS = "447700900061"
PERSON = "447700900062"


def send(office: Office, to: str = PERSON, **changes: Any) -> str:
    """Queue a text over REST; the address of its page."""
    office.add_number(OURS)
    text = {"to": to, "source": OURS, "body": "Your parcel is here."} | changes
    answer = office.service.call("/outbound", method="POST", body=text)
    assert answer.status == 202, answer
    return f"/outbox/{decode_id('out', answer.json['items'][0]['id'])}"


async def test_a_text_shows_its_calls_and_turns_by_itself(desk: Desk, office: Office) -> None:
    address = send(office)
    async with desk.open() as tab:
        await tab.page.goto(address)
        await expect(tab.page.locator("h1")).to_have_text("Text to +44 7700 900062")
        await expect(tab.page.locator("blockquote")).to_have_text("Your parcel is here.")
        await expect(tab.page.get_by_text("accepted by the provider", exact=True)).to_be_visible()
        office.settle_texts()
        await expect(tab.page.locator("#text .badge").first).to_have_text("Delivered")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_scheduled_text_is_cancelled(desk: Desk, office: Office, scripts: bool) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    address = send(office, schedule_at=f"{later:%Y-%m-%dT%H:%M:%SZ}")
    async with desk.open(scripts=scripts) as tab:
        await tab.page.goto(address)
        await expect(tab.page.locator("#text .badge").first).to_have_text("Scheduled")
        await tab.page.click("text=Cancel this text")
        await expect(tab.page.get_by_text("Cancelled: it will not be sent.")).to_be_visible()
        await expect(tab.page.locator("#text .badge").first).to_have_text("Cancelled")
        await expect(tab.page.locator("#text table").first).to_contain_text("Grace")


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_uncertain_text_is_settled_by_a_person(
    desk: Desk, office: Office, scripts: bool
) -> None:
    office.order("POST", "faults", [{"kind": "reset", "action": "Send", "times": 1}])
    address = send(office, f"44770090006{3 if scripts else 4}")
    status = follow_status(office, address)
    wait_until(lambda: status() == "uncertain")
    async with desk.open(scripts=scripts) as tab:
        page = tab.page
        await page.goto(address)
        await expect(page.locator("#text .badge").first).to_have_text("Uncertain")
        await page.check("text=Not sent, do not resend")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_text("Saved as not sent.")).to_be_visible()
        await expect(page.locator("#text .badge").first).to_have_text("Failed")


def follow_status(office: Office, address: str) -> Callable[[], str]:
    """Asks for the status of the text whose page has this address."""
    listed = office.service.get
    wanted = int(address.rpartition("/")[2])

    def ask() -> str:
        items = listed("/outbound?limit=100")["items"]
        return {decode_id("out", each["id"]): str(each["status"]) for each in items}[wanted]

    return ask


async def test_a_failure_is_told_in_words_and_found_by_its_state(
    desk: Desk, office: Office
) -> None:
    address = send(office, "447700900101", body="To a number that is refused")
    status = follow_status(office, address)
    wait_until(lambda: status() == "failed")
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/outbox")
        await page.select_option("#status", "failed")
        await page.fill("#to", "+447700900101")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody tr")).to_contain_text("(code -101)")
        saved = await save(tab, "Save as CSV")
        assert saved.count("\r\n") == 2
        assert "To a number that is refused" in saved
        await page.click("text=To a number that is refused")
        await expect(page.locator("#text .badge").first).to_have_text("Failed")


async def test_a_text_to_a_list_shows_its_recipients(desk: Desk, office: Office) -> None:
    office.add_number(OURS)
    text = {"list": "customers", "source": OURS, "body": "We are closed tomorrow."}
    answer = office.service.call("/outbound", method="POST", body=text)
    address = f"/outbox/{decode_id('out', answer.json['items'][0]['id'])}"
    async with desk.open() as tab:
        await tab.page.goto(address)
        await expect(tab.page.locator("h1")).to_have_text("Text to the list customers")
        await expect(tab.page.get_by_text("accepted by the provider", exact=True)).to_be_visible()
        office.settle_texts()
        people = tab.page.locator(".card").filter(has_text="Recipients").locator("tbody tr")
        await expect(people).to_have_count(5)


async def test_nothing_is_found_and_a_day_that_is_none(desk: Desk) -> None:
    async with desk.open(scripts=False) as tab:
        await tab.page.goto("/outbox?to=447700900999")
        await expect(tab.page.get_by_text("Nothing found")).to_be_visible()
        await tab.page.goto("/outbox?since=soon")
        await expect(tab.page.locator("#since-error")).to_contain_text("Enter a day such as")


async def test_times_are_typed_in_the_browsers_zone_which_is_named(desk: Desk) -> None:
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/new")
        zone = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
        await expect(page.locator("input[name=zone]")).to_have_value(zone)
        await page.get_by_text("Send later").click()
        await expect(page.locator("#schedule_at-hint")).to_have_text(f"In {zone} time.")
        await page.goto("/outbox")
        await expect(page.get_by_text(f"Days are in {zone} time.")).to_be_visible()
    async with desk.open(scripts=False) as tab:
        await tab.page.goto("/outbox")
        await expect(tab.page.get_by_text("Days are in Europe/London time.")).to_be_visible()
