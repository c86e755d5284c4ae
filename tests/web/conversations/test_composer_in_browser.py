"""The reply form and the thread in a real browser: what stays, opens, and is found again."""

import asyncio
import re
from collections.abc import Mapping

import pytest
from playwright.async_api import Page, expect

from app.domain.ids import decode_id
from tests.support.service import wait_until
from tests.web.browser import (
    DESK,
    IN_BROWSER,
    PATIENCE_MS,
    PHONE,
    Desk,
    find_violations,
    hearing_stream,
    measure_overflow,
)
from tests.web.conftest import PASSWORD, Office

pytestmark = IN_BROWSER

# Numbers of ours, one for each test.
STAYS, OPENS, WRITES, WALKED, TOLD, PRINTED, ODD, PLAIN = (f"4477009007{n:02}" for n in range(8))
ADA = "447700900011"
WIDE = {"width": 2560, "height": 1300}
# A browser tells no page that it is hidden while it has no window.
PRETEND = """
    globalThis.notes = [];
    globalThis.isAway = false;
    Object.defineProperty(Document.prototype, "hidden", { get: () => globalThis.isAway });
    globalThis.Notification = class {
        static permission = "default";
        static async requestPermission() { return (this.permission = "granted"); }
        constructor(title, options) { notes.push([title, options.body]); globalThis.last = this; }
        close() {}
    };
    globalThis.open = (address) => { notes.push(address); };
"""


def send_texts(office: Office, dest: str, *bodies: str, source: str = ADA, name: str = "") -> str:
    """They come in one after the other; the address of their conversation."""
    known = len(office.service.get(f"/messages?dest={dest}&source={source}&limit=500")["items"])
    for place, body in enumerate(bodies, start=known):
        office.service.forward(
            f"{dest}-{source}-{place}", dest=dest, source=source, msg=body, MMName=name
        )
    path = f"/messages?dest={dest}&source={source}&limit=500"
    wait_until(
        lambda: (
            sum(bool(each["handled_at"]) for each in office.service.get(path)["items"])
            == known + len(bodies)
        )
    )
    [talk] = office.service.get(f"/conversations?dest={dest}&source={source}")["items"]
    return f"/conversations/{decode_id('cnv', talk['id'])}"


IS_END_ABOVE_FORM = """(() => {
    const end = document.getElementById("latest").getBoundingClientRect().top;
    return end > 0 && end <= document.getElementById("reply").getBoundingClientRect().top + 2;
})()"""


async def wait_for(page: Page, condition: str) -> None:
    """The policy of the pages lets no test wait inside them."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while not await page.evaluate(condition):
            await page.wait_for_timeout(50)


async def find_tops(page: Page) -> list[float]:
    """Where the field and the button are in the window, and the newest text's end above them."""
    tops: list[float] = await page.evaluate(
        """["#body", "#reply button.primary", "#latest"].map(
            (each) => document.querySelector(each).getBoundingClientRect().top)"""
    )
    return tops


async def is_in_sight(page: Page, selector: str) -> bool:
    """Whether it is in the window, between the heading and the reply form."""
    seen: bool = await page.locator(selector).last.evaluate(
        """each => {
            const { top, bottom } = each.getBoundingClientRect();
            const heading = document.querySelector(".talk-heading").getBoundingClientRect().bottom;
            const form = document.getElementById("reply").getBoundingClientRect().top;
            return top >= heading - 2 && bottom <= form + 2;
        }"""
    )
    return seen


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_a_new_text_moves_neither_the_reply_form_nor_the_place_in_the_thread(
    desk: Desk, office: Office, size: Mapping[str, int]
) -> None:
    source = f"44770090002{size['width'] % 7}"
    path = send_texts(office, STAYS, "Are you open?", source=source)
    async with desk.open(size=size) as tab:
        page = tab.page
        await page.goto(path)
        draft = "A long draft. " * 30
        await page.fill("#body", draft)
        await page.locator("#body").press_sequentially("x")
        await expect(page.locator("#counter")).to_contain_text("characters")
        for count in (2, 14):
            known = await page.locator(".entry").count()
            before = await find_tops(page)
            assert before[1] < size["height"]
            send_texts(office, STAYS, *["And on Sunday?"] * (count - known), source=source)
            await expect(page.locator(".entry")).to_have_count(count)
            assert await find_tops(page) == pytest.approx(before, abs=2)
            assert await is_in_sight(page, ".entry .body")
        await expect(page.locator("#body")).to_be_focused()
        await expect(page.locator("#body")).to_have_value(f"{draft}x")
        unread = f"/messages?dest={STAYS}&source={source}&unread=true"
        wait_until(lambda: not office.service.get(unread)["items"])
        # Who reads older texts stays there, and what arrives below is not read yet.
        await page.evaluate("scrollTo(0, 0)")
        row = page.locator(".entry").first
        top = await row.evaluate("row => row.getBoundingClientRect().top")
        send_texts(office, STAYS, "Below", source=source)
        await expect(page.locator(".entry")).to_have_count(15)
        assert await row.evaluate("row => row.getBoundingClientRect().top") == top
        assert len(office.service.get(unread)["items"]) == 1
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        wait_until(lambda: not office.service.get(unread)["items"])


async def test_a_conversation_opens_at_its_first_new_text_else_at_its_end(
    desk: Desk, office: Office
) -> None:
    path = send_texts(office, OPENS, *(f"old {n}" for n in range(12)))
    for scripts, size in ((True, DESK), (False, DESK), (True, PHONE)):
        async with desk.open(scripts=scripts, size=size) as tab:
            page = tab.page
            await page.goto(f"{path}#new")
            await page.goto("/new")
            await page.goto(f"{path}#new")
            assert await is_in_sight(page, ".entry .body"), (scripts, size)
            await page.goto("/new")
            send_texts(office, OPENS, *(f"new {n}" for n in range(10)))
            await page.goto(f"/?number={OPENS}")
            await page.locator("#people .row").click()
            await expect(page.locator(".divider")).to_have_text("New texts")
            assert await is_in_sight(page, ".divider")
            unread = page.get_by_role("button", name="Mark unread")
            await expect(unread).to_be_in_viewport(ratio=1)
            assert not await is_in_sight(page, ".entry .body")
            if scripts:  # axe waits for timers
                assert await find_violations(page) == []
            # A refused reply keeps what was typed, and the field has the focus.
            await page.fill("#body", "x" * 460)
            await page.get_by_role("button", name="Send", exact=True).click()
            await expect(page.locator("#body-error")).to_be_in_viewport()
            await expect(page.locator("#body")).to_be_focused()
            await expect(page.locator("#body")).to_have_value("x" * 460)
            if scripts:  # The end of the thread stays above the field, which the address names.
                await wait_for(page, IS_END_ABOVE_FORM)


async def test_a_draft_is_found_again_and_others_see_who_writes(desk: Desk, office: Office) -> None:
    path = send_texts(office, WRITES, "Are you open?")
    async with desk.open() as tab, desk.open(signed_in=False) as other:
        ada, grace = other.page, tab.page
        await ada.goto(f"/sign-in?next={path}")
        await ada.fill("[name=name]", "Ada")
        await ada.fill("[name=password]", PASSWORD)
        async with hearing_stream(ada):
            await ada.click("main .primary")
        await expect(ada.locator("#writing")).to_be_empty()
        before = await find_tops(ada)
        await grace.goto(path)
        async with grace.expect_response(lambda answer: answer.url.endswith("/draft")):
            await grace.locator("#body").press_sequentially("Until six")
        await expect(ada.locator("#writing")).to_have_text("Grace is writing…")
        assert await find_tops(ada) == before
        await expect(grace.locator("#writing")).to_be_empty()
        await grace.locator("#body").press_sequentially(" today")
        await grace.goto("/outbox")
        await grace.goto(path)
        await expect(grace.locator("#body")).to_have_value("Until six today")
        await grace.locator("#body").press("Control+Enter")
        await expect(grace.locator(".entry.out .body")).to_have_text("Until six today")
        await expect(grace.locator("#body")).to_have_value("")
        await expect(ada.locator("#writing")).to_be_empty()


async def test_keys_walk_from_one_conversation_to_the_next(desk: Desk, office: Office) -> None:
    for n in range(3):
        send_texts(office, WALKED, "Hello", source=f"44770090008{n}", name=f"Walker {n}")
    async with desk.open(size={"width": 1200, "height": 800}) as tab:
        page = tab.page
        await page.goto("/")
        await page.locator("#people .row", has_text="Walker 2").click()
        await expect(page.locator(".beside [aria-current]")).to_contain_text("Walker 2")
        for key, name in (("j", "Walker 1"), ("j", "Walker 0"), ("k", "Walker 1")):
            await page.keyboard.press(key)
            await expect(page.locator("h1")).to_have_text(name)
            await page.wait_for_load_state()
        await page.keyboard.press("U")
        await expect(page.locator(".note.done")).to_have_text("Marked as unread.")
        await page.keyboard.press("c")
        await expect(page.locator("h1")).to_have_text("New message")
        await page.keyboard.press("u")
        await expect(page.locator("h1")).to_have_text("Inbox")
        await page.set_viewport_size({"width": 1100, "height": 800})
        await page.locator("#people .row", has_text="Walker 1").click()
        await expect(page.locator("h1")).to_have_text("Walker 1")
        await expect(page.locator(".beside")).to_be_hidden()
        await page.wait_for_load_state()
        await page.keyboard.press("u")
        await expect(page.locator("h1")).to_have_text("Inbox")
    async with desk.open(scripts=False) as tab:
        await tab.page.goto("/")
        await tab.page.locator("#people .row", has_text="Walker 0").click()
        await tab.page.locator(".beside .row", has_text="Walker 2").click()
        await expect(tab.page.locator("h1")).to_have_text("Walker 2")


async def test_title_icon_and_notifications_tell_of_new_texts(desk: Desk, office: Office) -> None:
    async with desk.open() as tab:
        await tab.page.context.add_init_script(PRETEND)
        page, other = tab.page, await tab.open_another()
        # The first tab listens for both.
        async with hearing_stream(page):
            await page.goto("/outbox")
        await other.goto("/outbox")
        await page.get_by_role("button", name="Browser notifications").first.click()
        await page.get_by_role("button", name="Turn on notifications").click()
        await expect(page.get_by_role("button", name="Turn off notifications")).to_be_visible()
        await page.get_by_role("button", name="Close").click()
        path = send_texts(office, TOLD, "A secret", name="Ada")
        for each in (page, other):
            await expect(each).to_have_title(re.compile(r"^\(\d+\+?\) Outbox"))
            assert "letterbox-" in (await each.locator("#icon").get_attribute("href") or "")
        for each in (page, other):
            assert await each.evaluate("notes") == []
            await each.evaluate("isAway = true")
        send_texts(office, TOLD, "Another secret", name="Ada")
        await wait_for(page, "notes.length === 1")
        assert await page.evaluate("notes") == [["Ada", "New text"]]
        assert await other.evaluate("notes") == []
        await page.evaluate("last.onclick()")
        assert (await page.evaluate("notes[1]")).startswith(f"{path}?at=")
        await page.evaluate("localStorage.setItem('letterbox-notify', 'text')")
        send_texts(office, TOLD, "No secret", name="Ada")
        await wait_for(page, "notes.length === 3")
        assert await page.evaluate("notes[2]") == ["Ada", "No secret"]


async def test_one_click_makes_a_text_plain_and_a_conversation_prints_as_a_thread(
    desk: Desk, office: Office
) -> None:
    path = send_texts(office, PRINTED, "Look: https://example.com/a.", "And?")
    async with desk.open() as tab:
        page = tab.page
        await page.goto(path)
        link = page.locator(".entry a[href='https://example.com/a']")
        assert await link.get_attribute("rel") == "noopener noreferrer"
        await page.fill("#body", "It\u2019s fine \u2026 " * 8)
        await page.get_by_role("button", name="Use plain characters: saves 1 part").click()
        await expect(page.locator("#body")).to_have_value(("It's fine ... " * 8).strip())
        await expect(page.locator("#counter")).to_contain_text("of GSM-7")
        await expect(page.locator("#body")).to_be_focused()
        await page.emulate_media(media="print")
        for selector in (".top", "#reply", ".beside", ".talk-heading .actions"):
            await expect(page.locator(selector)).to_be_hidden()
        for selector in ("h1", ".entry >> nth=0", ".entry >> nth=1"):
            await expect(page.locator(selector)).to_be_visible()


async def test_long_names_and_numbers_fit_every_window(desk: Desk, office: Office) -> None:
    paths = [
        "/",
        send_texts(office, ODD, "x" * 300, name="N" * 160),
        send_texts(office, ODD, "y" * 300, source="4" * 60),
    ]
    async with desk.open() as tab:
        for size in (PHONE, WIDE):
            await tab.page.set_viewport_size({"width": size["width"], "height": size["height"]})
            for path in paths:
                await tab.page.goto(path)
                assert await measure_overflow(tab.page) == 0, (size, path)
        # A wide window is used: the page is neither at one side of it nor lost in it.
        for path in paths[:2]:
            await tab.page.goto(path)
            box = await tab.page.locator("main").bounding_box()
            assert box is not None
            left, right = box["x"] - 224, 2560 - box["x"] - box["width"]
            assert abs(left - right) <= 20
            assert box["width"] >= 1400
