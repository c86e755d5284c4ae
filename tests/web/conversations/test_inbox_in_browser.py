"""The inbox in a real browser: live arrival, keys, searching, and all of it without a script."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.support.service import wait_until
from tests.web.browser import IN_BROWSER, PHONE, Desk, hearing_stream
from tests.web.conftest import Office

pytestmark = IN_BROWSER

# Numbers of ours, one for each test: what one test does the others do not see.
LIVE, PLACE, KEYS, FOUND, SCRIPTS, RIGHT, ESCAPED = (f"4477009005{n:02}" for n in range(7))
ARABIC = "\u0645\u0631\u062d\u0628\u0627"


def texts_in(office: Office, dest: str, *bodies: str) -> None:
    """Each from a sender of its own, stored before this returns."""
    known = len(office.service.get(f"/messages?dest={dest}&limit=500")["items"])
    for place, body in enumerate(bodies, start=known):
        office.service.forward(
            f"{dest}-{place}", dest=dest, source=f"44770091{place:04}", msg=body, MMName=f"P{place}"
        )
    wait_until(
        lambda: (
            len(office.service.get(f"/conversations?dest={dest}&limit=500")["items"])
            == known + len(bodies)
        )
    )


async def list_names(page: Page) -> list[str]:
    return await page.locator("#people .row-name").all_text_contents()


async def test_a_text_appears_by_itself_in_two_tabs_and_another_browser(
    desk: Desk, office: Office
) -> None:
    texts_in(office, LIVE, "first")
    async with desk.open() as tab, desk.open() as other:
        pages = [tab.page, await tab.open_another(), other.page]
        # One tab of each browser listens.
        async with hearing_stream(tab.page), hearing_stream(other.page):
            for page in pages:
                await page.goto(f"/?number={LIVE}")
                await expect(page.locator("#people .row")).to_have_count(1)
        texts_in(office, LIVE, "second <b>")
        for page in pages:
            await expect(page.locator("#people .row")).to_have_count(2)
            await expect(page.locator("#people .row").first).to_contain_text("second <b>")
        async with hearing_stream(pages[1]):
            await tab.page.close()
        texts_in(office, LIVE, "third")
        await expect(pages[1].locator("#people .row").first).to_contain_text("third")


async def test_what_arrives_above_moves_nothing_that_is_in_sight(
    desk: Desk, office: Office
) -> None:
    texts_in(office, PLACE, *(f"text {n}" for n in range(40)))
    async with desk.open(size=PHONE) as tab:
        page = tab.page
        await page.goto(f"/?number={PLACE}")
        row = page.locator("#people .row", has_text="P20")
        await row.scroll_into_view_if_needed()
        await row.focus()
        before = await row.evaluate("row => row.getBoundingClientRect().top")
        texts_in(office, PLACE, "new one", "new two")
        await expect(page.locator("#people .row")).to_have_count(42)
        after = await row.evaluate("row => row.getBoundingClientRect().top")
        assert abs(after - before) <= 1
        assert await row.evaluate("row => row === document.activeElement")


async def test_keys_walk_the_list_open_reply_and_search(desk: Desk, office: Office) -> None:
    texts_in(office, KEYS, "one", "two", "three")
    async with desk.open() as tab:
        page = tab.page
        await page.goto(f"/?number={KEYS}")
        focused = page.locator("#people .row:focus")
        for key, name in (("j", "P2"), ("j", "P1"), ("j", "P0"), ("k", "P1")):
            await page.keyboard.press(key)
            await expect(focused).to_contain_text(name)
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("P1")
        await page.wait_for_load_state()
        await page.keyboard.press("r")
        await page.keyboard.type("j/k?")
        await expect(page.locator("#body")).to_have_value("j/k?")
        await page.goto(f"/?number={KEYS}")
        await page.keyboard.press("/")
        await expect(page.locator("#q")).to_be_focused()
        await page.keyboard.press("Escape")
        await page.keyboard.press("j")
        await page.keyboard.press("r")
        await expect(page.locator("#body")).to_be_focused()
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.get_by_label("Use keyboard shortcuts").uncheck()
        await page.get_by_role("button", name="Close").click()
        await page.goto(f"/?number={KEYS}")
        await page.keyboard.press("j")
        await expect(focused).to_have_count(0)


async def test_a_search_answers_while_somebody_types_and_by_enter(
    desk: Desk, office: Office
) -> None:
    texts_in(office, FOUND, "where is my parcel", "hello", "parcel two")
    async with desk.open() as tab:
        page = tab.page
        await page.goto(f"/?number={FOUND}")
        await page.locator("#q").press_sequentially("parcel")
        await expect(page.locator("#texts .row")).to_have_count(2)
        await expect(page).to_have_url(re.compile("q=parcel"))
        assert await page.locator("#q").evaluate("field => field === document.activeElement")
        await page.fill("#q", "P1")
        await expect(page.locator("#people .row")).to_have_count(1)
        await page.fill("#q", "zebra")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Nothing found")).to_be_visible()
        await page.fill("#q", "")
        await expect(page.locator("#people .row")).to_have_count(3)


async def test_escape_empties_a_search_and_what_it_found(desk: Desk, office: Office) -> None:
    texts_in(office, ESCAPED, "lighthouse", "hello")
    async with desk.open() as tab:
        page = tab.page
        await page.goto(f"/?number={ESCAPED}")
        await page.locator("#q").press_sequentially("lighthouse")
        await expect(page.locator("#texts mark")).to_have_text("lighthouse")
        await page.keyboard.press("Escape")
        await expect(page.locator("#q")).to_have_value("")
        await expect(page.locator("#people .row")).to_have_count(2)
        await expect(page).to_have_url(re.compile(r"/(\?number=\d+)?$"))
        await page.goto("/outbox?q=nothing-like-it")
        await page.locator("#q").press("Escape")
        await expect(page).to_have_url(re.compile(r"/outbox\?.*q=&"))


async def test_without_scripts_the_inbox_is_searched_filtered_and_read(
    desk: Desk, office: Office
) -> None:
    texts_in(office, SCRIPTS, "a needle", "hay")
    async with desk.open(scripts=False) as tab:
        page = tab.page
        await page.goto("/")
        await page.fill("#q", "needle")
        await page.select_option("#number", SCRIPTS)
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator("#texts .row")).to_have_count(1)
        await expect(page.locator("#texts time")).to_have_text(
            re.compile(r"^\d+ \w+ 20\d\d, \d\d:\d\d (BST|GMT)$")
        )
        await page.locator("#texts .row").click()
        await expect(page.locator("h1")).to_have_text("P0")
        await page.goto(f"/?number={SCRIPTS}&view=unread")
        assert await list_names(page) == ["P1"]


async def test_a_text_from_right_to_left_is_shown_so_and_times_are_of_the_browser(
    desk: Desk, office: Office
) -> None:
    texts_in(office, RIGHT, f"{ARABIC} \U0001f600")
    async with desk.open(timezone_id="Asia/Tokyo") as tab:
        page = tab.page
        await page.goto(f"/?number={RIGHT}")
        text = page.locator("#people .row-text")
        await expect(text).to_contain_text(ARABIC)
        assert await text.evaluate("text => getComputedStyle(text).direction") == "rtl"
        await expect(page.locator("#people time")).to_have_text("now")
        title = await page.locator("#people time").get_attribute("title")
        assert "GMT+9" in (title or "")


@pytest.mark.parametrize("everywhere", [False, True])
async def test_whoever_signs_out_sees_nothing_more(desk: Desk, everywhere: bool) -> None:
    async with desk.open(signed_in=False) as tab:
        page = tab.page
        await page.goto("/numbers")
        await page.fill("[name=name]", "Somebody else")
        await page.fill("[name=password]", "a-password-of-the-tests")
        await page.click("main .primary")
        await expect(page.locator("h1")).to_have_text("Numbers")
        name = "Sign out everywhere" if everywhere else "Sign out"
        if everywhere:
            await page.locator(".account").get_by_role("link", name="Somebody else").click()
        place = page.locator("main" if everywhere else ".account")
        await place.get_by_role("button", name=name, exact=True).click()
        await expect(page.locator(".note.done")).to_contain_text("signed out")
        await page.goto("/numbers")
        await expect(page.locator("h1")).to_have_text("Sign in")
