"""Reading, answering and writing in a real browser, with the simulated provider behind it."""

import re

from playwright.async_api import Page, expect

from app.domain.ids import decode_id
from tests.support.service import wait_until
from tests.web.browser import IN_BROWSER, Desk
from tests.web.conftest import Office

pytestmark = IN_BROWSER

ANSWERED, TYPED, PLAIN, UNSURE, OUT, MANY, TRIED, REFUSED = (f"4477009006{n:02}" for n in range(8))
ADA, GRACE = "447700900011", "447700900012"


def open_talk(office: Office, dest: str, body: str = "Are you open?", source: str = ADA) -> str:
    """Somebody texts that number; the address of the conversation."""
    office.service.forward(f"{dest}-{body}", dest=dest, source=source, msg=body, MMName="Ada")
    path = f"/conversations?dest={dest}&source={source}"
    wait_until(lambda: office.service.get(path)["items"])
    [talk] = office.service.get(path)["items"]
    return f"/conversations/{decode_id('cnv', talk['id'])}"


async def write(page: Page, body: str) -> None:
    await page.fill("#body", body)
    await page.get_by_role("button", name="Send", exact=True).click()


async def test_a_reply_is_counted_while_it_is_written_and_followed_to_its_delivery(
    desk: Desk, office: Office
) -> None:
    path = open_talk(office, ANSWERED)
    async with desk.open() as tab:
        page = tab.page
        await page.goto(path)
        await page.locator("#body").press_sequentially("It is 5 pm")
        await expect(page.locator("#counter")).to_contain_text("10 characters · 1 part of GSM-7")
        await page.locator("#body").press_sequentially(" \u2019")
        await expect(page.locator("#counter")).to_contain_text("UCS-2")
        await expect(page.locator("#counter code")).to_have_text("\u2019")
        await expect(page.locator("#counter")).to_contain_text("about 1 credit")
        await write(page, "Yes, till five")
        mine = page.locator(".entry.out")
        await expect(mine).to_contain_text("by Grace")
        await expect(mine.locator(".badge")).to_have_text("Sent")
        office.settle_texts()
        await expect(mine.locator(".badge")).to_have_text("Delivered")


async def test_a_text_that_arrives_takes_nothing_from_whoever_types(
    desk: Desk, office: Office
) -> None:
    path = open_talk(office, TYPED)
    async with desk.open() as tab:
        page = tab.page
        await page.goto(path)
        await page.locator("#body").press_sequentially("I am just writing")
        open_talk(office, TYPED, "And on Sunday?")
        await expect(page.locator(".entry.in")).to_have_count(2)
        await expect(page.locator("#body")).to_have_value("I am just writing")
        await expect(page.locator("#body")).to_be_focused()
        # What was seen as it arrived is read.
        wait_until(lambda: not office.service.get(f"/messages?dest={TYPED}&unread=true")["items"])


async def test_without_scripts_a_reply_is_counted_scheduled_and_cancelled(
    desk: Desk, office: Office
) -> None:
    path = open_talk(office, PLAIN)
    async with desk.open(scripts=False) as tab:
        page = tab.page
        await page.goto(path)
        await page.fill("#body", "Tomorrow at ten")
        await page.click("text=Check length")
        await expect(page.locator("#counter")).to_contain_text("15 characters")
        await page.click("summary:has-text('Send later')")
        await page.fill("#schedule_at", "2036-06-02T10:00")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.locator("#schedule_at-error")).to_contain_text("more than a year ahead")
        await expect(page.locator("#body")).to_have_value("Tomorrow at ten")
        await page.fill("#schedule_at", "")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.locator(".entry.out .body")).to_have_text("Tomorrow at ten")


async def test_an_uncertain_text_is_settled_by_hand(desk: Desk, office: Office) -> None:
    path = open_talk(office, UNSURE)
    fault = {"kind": "reset", "taken": True, "action": "Send", "destination": ADA, "times": 1}
    async with desk.open() as tab:
        page = tab.page
        await page.goto(path)
        office.order("POST", "faults", [fault])
        await write(page, "Did you get this?")
        mine = page.locator(".entry.out")
        await expect(mine.locator(".badge")).to_have_text("Uncertain")
        await expect(mine).to_contain_text("may or may not have been sent")
        await page.get_by_label("Not sent, do not resend").check()
        await page.get_by_role("button", name="Save").click()
        await expect(mine.locator(".badge")).to_have_text("Failed")


async def test_who_opted_out_is_told_and_can_come_back(desk: Desk, office: Office) -> None:
    path = open_talk(office, OUT, source="447700900041")
    async with desk.open() as tab:
        page = tab.page
        await page.goto(path)
        await page.click("summary:has-text('Opt out')")
        await page.fill("#reason", "Asked by phone")
        await page.click("button:has-text('Opt out')")
        await expect(page.locator("aside")).to_contain_text("Asked by phone")
        await write(page, "Hello")
        await expect(page.locator(".note.failed, .error").first).to_contain_text("has opted out")
        await expect(page.locator("#body")).to_have_value("Hello")
        await page.click("text=Opt back in")
        await expect(page.locator("aside")).to_contain_text("Yes")


async def test_a_new_message_to_many_is_looked_at_before_it_goes(
    desk: Desk, office: Office
) -> None:
    office.add_number(MANY)
    office.service.call("/opt-outs", method="POST", body={"number": "447700900042"})
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/new")
        await page.locator("[name=kind][value=to]").check()
        await expect(page.locator("#list")).to_be_hidden()
        await page.fill("#to", "07700 900043, 07700 900042\n07700")
        await page.select_option("#source", MANY)
        await page.fill("#body", "We close at noon")
        await expect(page.locator("#counter")).to_contain_text("about 2 credits for 2 numbers")
        await page.get_by_role("button", name="Preview").click()
        await expect(page.locator("#to-error")).to_contain_text("07700: not a full phone number")
        await page.fill("#to", "07700 900043, 07700 900042")
        await page.get_by_role("button", name="Preview").click()
        await expect(page.locator("main")).to_contain_text("1 of 2 has opted out")
        await page.get_by_role("button", name="Send to 1 number").click()
        await expect(page.locator(".note.done")).to_have_text("1 text queued.")
        await expect(page.locator("h1")).to_have_text("+44 7700 900043")


async def test_a_new_message_to_a_group_names_only_the_groups_field(desk: Desk) -> None:
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/new")
        await page.get_by_label("A group").check()
        await expect(page.locator("#to")).to_be_hidden()
        await page.fill("#group", "customers")
        await page.select_option("#source", "own")
        await page.fill("#own_source", "Shop")
        await page.fill("#body", "Hello all")
        await page.get_by_role("button", name="Preview").click()
        await expect(page.locator("main")).to_contain_text("the group customers")
        await page.get_by_role("link", name="Edit").click()
        await expect(page.locator("#group")).to_have_value("customers")


async def test_a_rule_is_tried_while_it_is_written_and_put_in_order(
    desk: Desk, office: Office
) -> None:
    open_talk(office, TRIED, "Zebra crossing?", source=GRACE)
    async with desk.open() as tab:
        page = tab.page
        await page.goto("/rules/new")
        await page.fill("#name", "Zebras")
        await page.select_option("#dest", TRIED)
        await page.fill("#keyword", "zebra")
        await page.locator("#reply").press_sequentially("Dear {name}, we have none")
        trial = page.locator("#trial")
        await expect(trial).to_contain_text("It would have answered 1 of the")
        await expect(trial).to_contain_text("Dear Ada, we have none")
        await page.fill("#reply", "Dear {nobody}")
        await expect(trial).to_contain_text("no placeholder is called {nobody}")
        await page.fill("#reply", "We have none")
        await page.uncheck("#enabled")
        await page.click("text=Add rule")
        await expect(page.locator(".note.done")).to_contain_text("Zebras")
        rule = page.locator(".rule", has_text="Zebras")
        await rule.get_by_role("button", name="Switch Zebras on").click()
        await expect(rule.locator(".badge")).to_have_text("On")
        await rule.get_by_role("button", name="Switch Zebras off").click()
        await expect(rule.locator(".badge")).to_have_text("Off")
        await expect(page).to_have_url(re.compile("#rule"))


async def test_a_refused_reply_does_not_keep_the_thread_from_growing(
    desk: Desk, office: Office
) -> None:
    path = open_talk(office, REFUSED)
    async with desk.open() as tab:
        page = tab.page
        await page.goto(path)
        await write(page, "x" * 460)
        await expect(page.locator("#body-error")).to_be_visible()
        await page.keyboard.press("Escape")
        open_talk(office, REFUSED, "Still there?")
        await expect(page.locator(".entry.in")).to_have_count(2)
        await expect(page.locator("#body")).to_have_value("x" * 460)
