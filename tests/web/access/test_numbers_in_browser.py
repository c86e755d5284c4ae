"""The pages of our numbers, in a real browser with a simulated provider that forwards."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.support.service import wait_until
from tests.web.browser import IN_BROWSER, Desk
from tests.web.conftest import Office

pytestmark = IN_BROWSER

WAITING = "Waiting for your first text…"
PERSON = "447700900011"


async def add(page: Page, number: str, label: str = "Front desk") -> str:
    """Configure a number; its auth value, as the page shows it once."""
    await page.goto("/numbers")
    await page.fill("#number", number)
    await page.fill("#label", label)
    await page.get_by_role("button", name="Add number").click()
    return await page.input_value("#auth-value")


async def test_a_new_number_waits_and_turns_green_by_itself(desk: Desk, office: Office) -> None:
    async with desk.open() as tab:
        page = tab.page
        value = await add(page, "07700 900021")
        await expect(page.locator("h1")).to_have_text("+44 7700 900021 Front desk")
        assert await page.input_value("#inbound-url") == f"{office.service.url}/inbound"
        await expect(page.locator("#arrival .warn")).to_contain_text(WAITING)
        await expect(page.get_by_text("choose POST")).to_be_visible()
        office.receive(PERSON, "447700900021", "Hello", auth=value)
        await expect(page.locator("#arrival .done")).to_contain_text("Texts arrive")
        # What somebody has not copied yet must not go with it.
        assert await page.input_value("#auth-value") == value


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_auth_value_is_shown_once(desk: Desk, scripts: bool) -> None:
    number = "447700900022" if scripts else "447700900023"
    async with desk.open(scripts=scripts) as tab:
        value = await add(tab.page, number)
        assert len(value) > 40
        # It is still there after a reload, until the page is left.
        await tab.page.goto(f"/numbers/{number}")
        assert await tab.page.input_value("#auth-value") == value
        await tab.page.goto("/numbers")
        await tab.page.goto(f"/numbers/{number}")
        await expect(tab.page.locator("#auth-value")).to_have_count(0)
        await expect(tab.page.get_by_text("was shown when it was created")).to_be_visible()


async def test_without_scripts_a_number_turns_green_when_the_page_is_loaded_again(
    desk: Desk, office: Office
) -> None:
    number = "447700900024"
    async with desk.open(scripts=False) as tab:
        value = await add(tab.page, number)
        await expect(tab.page.get_by_text("Then reload this page")).to_be_visible()
        office.receive(PERSON, number, "Hello", auth=value)
        await tab.page.goto(f"/numbers/{number}")
        for _ in range(20):
            if await tab.page.locator("#arrival .done").count():
                break
            await tab.page.wait_for_timeout(100)
            await tab.page.reload()
        await expect(tab.page.locator("#arrival .done")).to_contain_text("Texts arrive")


async def test_a_wrong_auth_value_is_shown_with_what_to_do(desk: Desk, office: Office) -> None:
    number = "447700900025"
    async with desk.open() as tab:
        await add(tab.page, number)
        office.receive(PERSON, number, "Hello", auth="something-else")
        refusals = office.service.get
        wait_until(lambda: number in {each["dest"] for each in refusals("/refusals")["items"]})
        await tab.page.goto(f"/numbers/{number}")
        row = tab.page.locator("#refused tbody tr")
        await expect(row).to_contain_text("Its auth value is not one of ours: paste the number's")
        await expect(tab.page.locator("#arrival")).to_contain_text(WAITING)
        await tab.page.click("text=All for this number")
        await expect(tab.page.locator("tbody tr")).to_have_count(1)


async def test_a_rotation_shows_the_new_value_and_keeps_the_old_for_a_while(desk: Desk) -> None:
    async with desk.open() as tab:
        page = tab.page
        first = await add(page, "447700900026")
        await page.select_option("#overlap", "3600")
        await page.click("text=Create a new auth value")
        second = await page.input_value("#auth-value")
        assert second != first
        values = page.locator("tbody").last.locator("tr")
        await expect(values).to_have_count(2)
        await expect(values.first).to_contain_text("never")
        await page.goto(page.url)
        assert page.url.endswith("/numbers/447700900026")


async def test_what_is_wrong_stands_beside_its_field_and_input_is_kept(desk: Desk) -> None:
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/numbers")
        await page.fill("#number", "12")
        await page.fill("#label", "Bar")
        await page.get_by_role("button", name="Add number").click()
        await expect(page.locator("#number-error")).to_contain_text("Not a full phone number")
        assert await page.get_attribute("#number", "aria-describedby") == "number-hint number-error"
        assert await page.input_value("#label") == "Bar"
        await page.fill("#number", "447700900027")
        await page.get_by_role("button", name="Add number").click()
        await page.fill("[id='merge_field_names.1']", "not a name")
        await page.fill("#opt_out_reply", "Bye")
        await page.get_by_role("button", name="Save").click()
        error = page.locator("[id='merge_field_names.1-error']")
        await expect(error).to_contain_text("letters, digits and underscores")
        assert await page.input_value("#opt_out_reply") == "Bye"
        await page.fill("[id='merge_field_names.1']", "appointment")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".note.done").first).to_have_text("Saved.")
        assert await page.input_value("[id='merge_field_names.1']") == "appointment"


async def test_a_number_twice_is_told_beside_the_field(desk: Desk) -> None:
    async with desk.open() as tab:
        await add(tab.page, "447700900028")
        await tab.page.goto("/numbers")
        await tab.page.fill("#number", "+44 7700 900028")
        await tab.page.get_by_role("button", name="Add number").click()
        await expect(tab.page.locator("#number-error")).to_contain_text("configured already")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_number_is_removed_only_after_a_question(desk: Desk, scripts: bool) -> None:
    number = "447700900029" if scripts else "447700900030"
    async with desk.open(scripts=scripts) as tab:
        await add(tab.page, number)
        await tab.page.click("text=Remove the number…")
        await expect(tab.page.locator("h1")).to_contain_text("Remove")
        await tab.page.get_by_role("button", name="Remove", exact=True).click()
        await expect(tab.page.locator(".note.done").first).to_contain_text("is removed")
        await expect(tab.page.locator(f"a[href='/numbers/{number}']")).to_have_count(0)


async def test_copying_puts_the_value_on_the_clipboard(desk: Desk, office: Office) -> None:
    async with desk.open(permissions=["clipboard-read", "clipboard-write"]) as tab:
        page = tab.page
        await page.goto("/numbers")
        await page.get_by_role("button", name="Copy").first.click()
        await expect(page.get_by_role("button", name=re.compile("Copied"))).to_be_visible()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == f"{office.service.url}/inbound"


async def test_the_generated_value_can_be_shown_and_one_that_was_set_cannot(
    desk: Desk, bare_desk: Desk
) -> None:
    async with desk.open() as tab:
        await tab.page.goto("/numbers")
        await expect(tab.page.get_by_text("is never shown")).to_be_visible()
    async with bare_desk.open() as tab:
        await tab.page.goto("/numbers")
        await tab.page.click("text=Show the auth value")
        assert len(await tab.page.input_value("#shared-auth")) > 40
        await tab.page.goto("/audit?action=inbound-auth.show")
        await expect(tab.page.locator("tbody tr")).to_contain_text(["Grace looked at"])
