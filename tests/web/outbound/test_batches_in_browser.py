"""Batches and saved replies in a real browser, with and without scripts."""

import pytest
from playwright.async_api import expect

from tests.web.browser import DESK, IN_BROWSER, PHONE, Desk, find_violations, measure_overflow
from tests.web.conftest import Office

pytestmark = IN_BROWSER

OURS = "447700900071"
ROWS = "number;name\n07700 900072;Ada\n4.47701E+11;Bob\n07700 900073;" + "long" * 40


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_file_is_checked_sent_and_followed(
    desk: Desk, office: Office, scripts: bool
) -> None:
    office.add_number(OURS, label="Batches")
    size = DESK if scripts else PHONE
    async with desk.open(size=size, scripts=scripts) as tab:
        page = tab.page
        await page.goto("/batches/new")
        data = {"name": "people.csv", "mimeType": "text/csv", "buffer": ROWS.encode()}
        await page.set_input_files("#file", data)  # type: ignore[arg-type]
        await page.select_option("#source", OURS)
        await page.fill("#body", f"Hello {{name|there}}, scripts {scripts}")
        if scripts:
            await expect(page.locator("#own_source")).to_be_hidden()
            await expect(page.locator("#counter")).to_contain_text("1 placeholder")
        await page.click("main .primary")
        await expect(page.locator("tbody tr")).to_have_count(3)
        assert await measure_overflow(page) == 0
        await page.get_by_role("button", name="Send 2 texts").click()
        await expect(page.locator("#leave_out-error")).to_contain_text("1 row cannot be sent")
        if scripts:
            assert await find_violations(page) == []
        await page.check("#leave_out")
        await page.get_by_role("button", name="Send 2 texts").click()
        await expect(page.locator("h1")).to_have_text("Batch of 2 texts")
        if scripts:
            # By itself, as the texts go out.
            await expect(page.get_by_text("2 of 2 have gone out or ended.")).to_be_visible()
            assert await find_violations(page) == []
        assert await measure_overflow(page) == 0


async def test_a_slash_in_an_empty_text_opens_the_saved_replies(desk: Desk, office: Office) -> None:
    office.add_number(OURS, label="Batches")
    saved = {"name": "Slash", "body": "Hello {name|there}, from 9 to 5."}
    answer = office.service.call("/saved-replies", method="POST", body=saved)
    assert answer.status in {201, 422}
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/new")
        await page.fill("#to", "447700900074")
        await page.fill("#body", "")  # what another test began to write may be there
        await page.keyboard.press("/")
        await expect(page.locator("#saved_reply")).to_be_focused()
        await page.select_option("#saved_reply", label="Slash")
        await expect(page.locator("#body")).to_have_value("Hello there, from 9 to 5.")
        await expect(page.locator("#body")).to_be_focused()
        await expect(page.locator("#counter")).to_contain_text("25 characters")
        await page.keyboard.press("/")
        await expect(page.locator("#body")).to_have_value("Hello there, from 9 to 5./")


async def test_going_back_after_a_preview_asks_for_nothing(desk: Desk, office: Office) -> None:
    office.add_number(OURS, label="Batches")
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/new")
        await page.fill("#to", "447700900075, 447700900076")
        await page.fill("#body", "We close at noon")
        await page.click("main .primary")
        await expect(page.locator("h1")).to_have_text("Check before sending")
        await page.get_by_role("button", name="Send to 2 numbers").click()
        await expect(page.get_by_text("2 texts queued.")).to_be_visible()
        await page.go_back()
        await expect(page.locator("h1")).to_have_text("Check before sending")
        await page.reload()
        await expect(page.locator(".bubble")).to_contain_text("We close at noon")


async def test_a_person_is_found_while_typing_and_added_without_losing_the_text(
    desk: Desk, office: Office
) -> None:
    office.add_number(OURS, label="Batches")
    person = {"name": "Zuleika Dobson"}
    answer = office.service.call("/people/447700900077", method="PUT", body=person)
    assert answer.status in {200, 201}, answer
    async with desk.open(size=PHONE) as tab:
        page = tab.page
        await page.goto("/new")
        await page.fill("#body", "We close at noon")
        await page.fill("#q", "zuleika d")
        await page.get_by_role("button", name="Add Zuleika Dobson").click()
        await expect(page.locator("#to")).to_have_value("447700900077")
        await expect(page.locator("#body")).to_have_value("We close at noon")
        assert await find_violations(page) == []
        assert await measure_overflow(page) == 0
