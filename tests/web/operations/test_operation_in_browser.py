"""Overview, keys, opt-outs, notices and the audit trail in a real browser."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.async_api import expect

from app.domain.numbers import write_number
from tests.support.service import API_KEY, Service, wait_until
from tests.web.browser import IN_BROWSER, Desk
from tests.web.conftest import Office
from tests.web.conversations.test_accounts_in_browser import save

pytestmark = IN_BROWSER

OURS = "447700900041"
PERSON = "447700900012"
# More than other tests have any number of the office receive: all but the busiest are drawn as one.
BUSIEST = 50


def count_received(service: Service, number: str) -> int:
    return sum(int(day["received"]) for day in service.get(f"/stats?number={number}")["items"])


@pytest.mark.parametrize("scripts", [True, False])
async def test_sending_is_paused_with_a_reason_and_goes_on(desk: Desk, scripts: bool) -> None:
    async with desk.open(scripts=scripts) as tab:
        page = tab.page
        await page.goto("/overview")
        sending = page.locator("#states .card").first
        await expect(sending).to_contain_text("Running")
        await page.click("text=Pause…")
        await page.fill("#reason", "the price list is wrong")
        await page.get_by_role("button", name="Pause", exact=True).click()
        await expect(sending).to_contain_text("Paused")
        await expect(sending).to_contain_text("the price list is wrong")
        await expect(sending).to_contain_text("Grace")
        await page.get_by_role("button", name="Resume sending").click()
        await expect(sending).to_contain_text("Running")


async def test_the_overview_draws_what_came_and_has_it_as_a_table(
    desk: Desk, office: Office
) -> None:
    office.add_number(OURS, label="Front desk")
    for count in range(BUSIEST):
        office.service.forward(f"drawn-{count}", dest=OURS, source=PERSON)
    wait_until(lambda: count_received(office.service, OURS) >= BUSIEST)
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/overview")
        plot = page.locator("#plot-received")
        await expect(plot.get_by_role("img", name="Texts received")).to_be_visible()
        await expect(plot.locator(".plot-legend")).to_contain_text("Front desk")
        drawn = plot.locator("rect title").filter(has_text="Front desk: ")
        assert re.fullmatch(r"\d+ \w{3}, Front desk: \d+", await drawn.first.text_content() or "")
        await plot.get_by_text("As a table").click()
        await expect(plot.locator("thead")).to_contain_text("Front desk")
        await expect(plot.locator("tbody tr")).to_have_count(28)
        colour = "getComputedStyle(document.querySelector('rect.series-1')).fill"
        light = await page.evaluate(colour)
        await page.emulate_media(color_scheme="dark")
        assert await page.evaluate(colour) != light


async def test_the_credits_are_shown_and_nothing_is_foretold_on_the_first_day(
    desk: Desk, office: Office
) -> None:
    wait_until(lambda: office.service.get("/sender")["credits"] is not None)
    async with desk.open() as tab:
        await tab.page.goto("/overview")
        card = tab.page.locator("#states .card").nth(1)
        await expect(card.locator(".big")).to_have_text(re.compile(r"[\d,]+\.\d\d"))
        # Nothing was sent on a day before today.
        await expect(tab.page.locator("#plot-credits")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_comparison_is_run_by_hand(desk: Desk, scripts: bool) -> None:
    async with desk.open(scripts=scripts) as tab:
        await tab.page.goto("/overview")
        await tab.page.click("text=Compare the last day now")
        await expect(tab.page.locator(".note.done").first).to_contain_text(
            "Compared with the report"
        )


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_key_is_shown_once_works_and_is_revoked(
    desk: Desk, office: Office, scripts: bool
) -> None:
    name = f"shop {scripts}"
    async with desk.open(scripts=scripts) as tab:
        page = tab.page
        await page.goto("/keys")
        await page.fill("#name", name)
        await page.check("#scope-1")
        await page.click("text=Create key")
        key = await page.input_value("#new-key")
        assert office.service.call("/messages", key=key).status == 200
        assert office.service.call("/numbers", key=key).status == 403
        await page.goto("/overview")  # until then a reload shows it again
        await page.goto("/keys")
        await expect(page.locator("#new-key")).to_have_count(0)
        await page.get_by_role("link", name=f"Revoke {name}").click()
        await page.get_by_role("button", name="Revoke", exact=True).click()
        await expect(page.get_by_text(f"The key {name} has been revoked.")).to_be_visible()
        assert office.service.call("/messages", key=key).status == 401


async def test_a_key_needs_a_name_and_a_scope(desk: Desk) -> None:
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/keys")
        await page.fill("#name", "shop")
        await page.click("text=Create key")
        await expect(page.locator("#scopes-error")).to_have_text("Choose at least one permission")
        assert await page.input_value("#name") == "shop"


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_number_is_taken_out_looked_up_and_brought_back(desk: Desk, scripts: bool) -> None:
    written, number = (
        ("07700 900051", "447700900051") if scripts else ("07700 900052", "447700900052")
    )
    async with desk.open(scripts=scripts) as tab:
        page = tab.page
        await page.goto("/opt-outs")
        await page.fill("#number", "12")
        await page.fill("#text", "asked on the phone")
        await page.get_by_role("button", name="Add opt-out").click()
        await expect(page.locator("#number-error")).to_contain_text("Not a full phone number")
        assert await page.input_value("#text") == "asked on the phone"
        await page.fill("#number", written)
        await page.get_by_role("button", name="Add opt-out").click()
        await expect(
            page.get_by_text(f"{write_number(number)} receives no more texts.")
        ).to_be_visible()
        assert f"{number},person,asked on the phone" in await save(tab, "Save as CSV")
        await page.fill("#q", written)
        await page.get_by_role("button", name="Look up").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody tr")).to_contain_text("by a colleague: asked on the phone")
        await page.get_by_role("button", name="Remove opt-out").click()
        await expect(page.get_by_text(f"{number} may be texted again.")).to_be_visible()


async def test_an_opt_out_by_text_appears_by_itself(desk: Desk, office: Office) -> None:
    office.add_number(OURS)
    async with desk.open() as tab:
        await tab.page.goto("/opt-outs")
        office.receive("447700900053", OURS, "STOP please")
        row = tab.page.locator("tbody tr").filter(has_text="900053")
        await expect(row).to_contain_text("wrote: STOP please")


async def test_an_alert_appears_by_itself_with_what_to_do(
    bare_desk: Desk, bare_service: Service
) -> None:
    async with bare_desk.open() as tab:
        page = tab.page
        await page.goto("/alerts")
        await expect(page.get_by_text("No open alerts")).to_be_visible()
        overview = await tab.open_another()
        await overview.goto("/overview")
        status = bare_service.ask("/inbound", method="POST", body=b"msg=" + b"x" * 70_000).status
        assert status == 413
        for each in (page, overview):
            await expect(each.get_by_text("A forward over 64 KiB was refused")).to_be_visible()
            await expect(each.get_by_text("find out who sends it")).to_be_visible()


async def test_a_refusal_is_listed_with_its_reason(desk: Desk, office: Office) -> None:
    office.service.forward("refused", dest="447700900054", auth="")
    listed = office.service.get
    wait_until(lambda: "447700900054" in {each["dest"] for each in listed("/refusals")["items"]})
    async with desk.open(scripts=False) as tab:
        page = tab.page
        await page.goto("/refusals")
        await page.fill("#number", "+447700900054")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody tr")).to_contain_text("It came without an auth value")


async def test_the_audit_trail_says_who_did_what(desk: Desk, office: Office) -> None:
    office.service.call("/keys", method="POST", body={"name": "traced", "scopes": ["admin"]})
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/audit")
        await page.select_option("#action", "key.create")
        await page.select_option("#actor", "key:LETTERBOX_API_KEY")
        await page.get_by_role("button", name="Filter").click()
        row = page.locator("tbody tr").first
        await expect(row).to_contain_text("traced")
        saved = await save(tab, "Save as CSV")
        assert "key:LETTERBOX_API_KEY,key.create" in saved
        assert "session:" not in saved
        assert API_KEY not in saved
        tomorrow = datetime.now().astimezone() + timedelta(days=1)
        await page.goto(f"/audit?since={tomorrow:%Y-%m-%d}")
        await expect(page.get_by_text("Nothing found")).to_be_visible()
        await page.goto("/audit?since=yesterday")
        await expect(page.locator("#since-error")).to_contain_text("Enter a day such as")
