"""Contacts, groups and reports in a real browser: what the simulated provider keeps."""

import asyncio
import codecs
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.web.browser import IN_BROWSER, Desk, Tab
from tests.web.conftest import Office

pytestmark = IN_BROWSER


@contextmanager
def switched(office: Office, **switches: object) -> Iterator[None]:
    """The provider is so for a while."""
    office.order("PATCH", "switches", switches)
    try:
        yield
    finally:
        office.order("DELETE", "switches")


@pytest_asyncio.fixture(loop_scope="session")
async def empty_book(office: Office) -> AsyncIterator[None]:
    """Nobody in the address book, before and after."""
    book = office.world.books.of("demo")
    book.clear_contacts()
    yield
    book.clear_contacts()


async def import_lines(page: Page, *lines: str, duplicates: str = "refuse") -> None:
    await page.goto("/contacts/import")
    await page.fill("#csv", "\n".join(lines))
    await page.select_option("#duplicates", duplicates)
    await page.get_by_role("button", name="Import").click()


@pytest.mark.usefixtures("empty_book")
@pytest.mark.parametrize("scripts", [True, False])
async def test_an_import_answers_for_each_line(desk: Desk, scripts: bool) -> None:
    async with desk.open(scripts=scripts) as tab:
        await import_lines(tab.page, "Ada Lovelace,447700900011,ada@example.com", "Nobody,mine")
        done = tab.page.get_by_text("1 of 2 imported, 1 failed")
        await expect(done).to_be_visible()
        rows = tab.page.locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.last).to_contain_text("Failed")
        await expect(rows.last).to_contain_text("Invalid number (mine)")


@pytest.mark.usefixtures("empty_book")
async def test_a_long_import_shows_how_far_it_is(desk: Desk, office: Office) -> None:
    people = [f"Person {index},4477009000{index}" for index in range(20, 80)]
    office.order("POST", "faults", [{"kind": "slow", "action": "ImportContactsCSV", "seconds": 1}])
    try:
        async with desk.open() as tab:
            await import_lines(tab.page, *people)
            bar = tab.page.get_by_role("progressbar")
            await expect(bar).to_have_attribute("max", "60")
            await expect(bar).to_have_attribute("value", "25")
            await expect(tab.page.get_by_text("60 of 60 imported")).to_be_visible()
            await expect(bar).to_have_count(0)
    finally:
        office.order("DELETE", "faults")


@pytest.mark.usefixtures("empty_book")
async def test_an_import_that_stops_says_why_and_goes_on(desk: Desk, office: Office) -> None:
    async with desk.open() as tab:
        with switched(office, maintenance=True):
            await import_lines(tab.page, "Ada Lovelace,447700900011")
            stopped = tab.page.get_by_text("It stopped after 0 of 1 lines")
            await expect(stopped).to_contain_text("maintenance")
        await tab.page.get_by_role("button", name="Continue").click()
        await expect(tab.page.get_by_text("1 of 1 imported")).to_be_visible()


@pytest.mark.usefixtures("empty_book")
async def test_a_file_is_imported_and_contacts_are_searched(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Ada Lovelace,447700900011,ada@example.com\nZoë,447700900012\n")
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/contacts/import")
        await page.set_input_files("#file", file)
        await page.get_by_role("button", name="Import").click()
        await expect(page.get_by_text("2 of 2 imported")).to_be_visible()
        await page.goto("/contacts")
        await expect(page.locator("tbody tr")).to_have_count(2)
        await page.fill("#q", "ZOË")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody tr")).to_contain_text("+44 7700 900012")
        assert await save(tab, "Save as CSV") == (
            "name,number,email,groups\r\n"
            "Ada Lovelace,447700900011,ada@example.com\r\n"
            "Zoë,447700900012,\r\n"
        )


async def save(tab: Tab, link: str) -> str:
    """The text of the file that a link saves."""
    async with tab.page.expect_download() as download:
        await tab.page.click(f"text={link}")
    path = await (await download.value).path()
    content = await asyncio.to_thread(path.read_bytes)
    assert content.startswith(codecs.BOM_UTF8)  # spreadsheets guess the wrong encoding without
    return content.decode("utf-8-sig")


@pytest.mark.parametrize(
    ("lines", "error"),
    [("", "There is no contact to import"), ('"Ada', "is no CSV")],
)
async def test_what_is_no_csv_is_told_beside_the_field(desk: Desk, lines: str, error: str) -> None:
    async with desk.open() as tab:
        await import_lines(tab.page, lines, duplicates="overwrite")
        await expect(tab.page.locator("#csv-error")).to_contain_text(error)
        assert await tab.page.input_value("#csv") == lines
        assert await tab.page.input_value("#duplicates") == "overwrite"


@pytest.mark.usefixtures("empty_book")
@pytest.mark.parametrize("scripts", [True, False])
async def test_all_contacts_are_deleted_only_by_a_word(desk: Desk, scripts: bool) -> None:
    async with desk.open(scripts=scripts) as tab:
        page = tab.page
        await import_lines(page, "Ada Lovelace,447700900011")
        await page.goto("/contacts")
        await page.click("text=Delete all contacts…")
        await expect(page.get_by_text("The provider has 1.")).to_be_visible()
        await page.fill("#confirm", "yes")
        await page.get_by_role("button", name="Delete", exact=True).click()
        await expect(page.locator("#confirm-error")).to_contain_text("to confirm")
        await page.fill("#confirm", "all")
        await page.get_by_role("button", name="Delete", exact=True).click()
        await expect(page.get_by_text("All contacts are deleted.")).to_be_visible()
        await expect(page.get_by_text("The address book is empty")).to_be_visible()


@pytest.mark.usefixtures("empty_book")
async def test_a_group_is_emptied_and_deleted_after_a_question(desk: Desk) -> None:
    async with desk.open() as tab:
        page = tab.page
        await import_lines(page, "Ada Lovelace,447700900011,ada@example.com,bed & breakfast")
        await expect(page.get_by_text("1 of 1 imported")).to_be_visible()
        for action, done in (("Empty", "is empty"), ("Delete", "is deleted; its contacts stay")):
            await page.goto("/groups")
            row = page.locator("tbody tr").filter(has_text="bed & breakfast")
            await row.get_by_role("link", name=action).click()
            await page.get_by_role("button", name=action, exact=True).click()
            await expect(page.get_by_text(f"bed & breakfast {done}")).to_be_visible()
        await expect(page.locator("tbody tr").filter(has_text="breakfast")).to_have_count(0)


async def test_a_report_is_shown_and_saved(desk: Desk, office: Office) -> None:
    office.add_number("447700900031")
    office.receive("447700900011", "447700900031", 'Hello, "you"\nthere')
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/reports")
        await page.select_option("#type", "InboundMessages")
        today = f"{office.world.clock.now():%Y-%m-%d}"
        await page.fill("#from", today)
        await page.fill("#to", today)
        await page.click("button:has-text('Show report')")
        await expect(page.locator("table")).to_contain_text('Hello, "you"')
        assert await page.input_value("#from") == today
        saved = await save(tab, "Save as CSV")
        assert saved.startswith("MessageID,From,Number,Message,Received Date,Status\r\n")
        assert '"Hello, ""you""\nthere"' in saved


async def test_a_report_without_days_is_told_beside_the_field(desk: Desk) -> None:
    async with desk.open(scripts=False) as tab:
        await tab.page.goto("/reports?type=Usage&from=2026-06-02&to=2026-06-01")
        await expect(tab.page.locator("#to-error")).to_contain_text("is before")
        await tab.page.goto("/reports?type=Usage&from=soon")
        await expect(tab.page.locator("#from-error")).to_contain_text("Enter a day such as")
        await tab.page.goto("/reports?type=other&other=Nonsense&from=2026-06-01&to=2026-06-02")
        await expect(tab.page.locator("#other-error")).to_contain_text("Unknown Report Type")


@pytest.mark.parametrize("path", ["/contacts", "/groups", "/reports?type=Outbox"])
async def test_while_the_provider_is_away_pages_say_so(
    desk: Desk, office: Office, path: str
) -> None:
    async with desk.open() as tab:
        tab.watch.expected.add(502)
        with switched(office, maintenance=True):
            await tab.page.goto(path)
            await expect(tab.page.locator("h1")).to_have_text("The provider cannot be reached")
            await expect(tab.page.get_by_text("Try again in a minute")).to_be_visible()


@pytest.mark.parametrize("path", ["/contacts", "/contacts/import", "/groups", "/reports"])
async def test_without_an_account_pages_say_what_to_set(bare_desk: Desk, path: str) -> None:
    async with bare_desk.open() as tab:
        await tab.page.goto(path)
        await expect(tab.page.locator(".empty h2")).to_have_text("No provider account yet")
        await expect(tab.page.locator("main")).to_contain_text("LETTERBOX_PROVIDER_TOKEN")


async def test_while_the_provider_is_slow_the_page_says_that_it_waits(
    desk: Desk, office: Office
) -> None:
    fault = {"kind": "slow", "action": "GetAllGroups", "seconds": 3}
    office.order("POST", "faults", [fault])
    try:
        async with desk.open() as tab:
            await tab.page.goto("/keys")
            # The browser can be asked nothing while it waits, so the page itself takes note.
            await tab.page.evaluate(
                "new MutationObserver(([{ target }]) => sessionStorage.setItem("
                "'said', target.textContent)).observe("
                "document.getElementById('slow-state'), { attributes: true })"
            )
            await tab.page.click(".wide .menu a[href='/groups']")
            await expect(tab.page.locator("h1")).to_have_text("Groups")
            said = await tab.page.evaluate("sessionStorage.getItem('said')")
            assert said == "Still waiting for a response…"
            await expect(tab.page.locator("#slow-state")).to_be_hidden()
    finally:
        office.order("DELETE", "faults")
