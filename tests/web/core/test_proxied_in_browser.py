"""Live arrival in a real browser behind proxies that hold the stream back, or fail for a moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import expect

from tests.web.browser import IN_BROWSER, Desk, Tab
from tests.web.conftest import Office
from tests.web.proxy import Proxy, proxying

pytestmark = IN_BROWSER

OURS = "447700900001"
INTERRUPTED, HELD_BACK = "#live-state", "#poll-state"


@asynccontextmanager
async def opening(
    desk: Desk, office: Office, *, holds_back: bool
) -> AsyncIterator[tuple[Tab, Proxy]]:
    """The inbox, as it is seen through a proxy."""
    with proxying(office.service.port, holds_back=holds_back) as proxy:
        async with Desk(desk.browser, proxy.url, desk.state).open() as tab:
            await tab.page.goto("/")
            yield tab, proxy


async def test_where_a_proxy_holds_the_stream_back_the_page_says_so_and_looks_by_itself(
    desk: Desk, office: Office
) -> None:
    async with opening(desk, office, holds_back=True) as (tab, proxy):
        page = tab.page
        await expect(page.locator(HELD_BACK)).to_be_visible(timeout=15_000)
        await expect(page.locator(HELD_BACK)).to_contain_text("every 10 seconds")
        await expect(page.locator(INTERRUPTED)).to_be_hidden()
        for number in (1, 2):
            office.receive("447700900091", OURS, f"Held back {number}")
            row = page.locator("a.row", has_text=f"Held back {number}")
            await expect(row).to_be_visible(timeout=20_000)
        # A tab that is opened later knows as well.
        other = await tab.open_another()
        await other.goto("/outbox")
        await expect(other.locator(HELD_BACK)).to_be_visible(timeout=3_000)
        proxy.holds_back = False
        await other.close()
        await page.reload()
        await expect(page.locator(HELD_BACK)).to_be_hidden()
        office.receive("447700900091", OURS, "Let through")
        await expect(page.locator("a.row", has_text="Let through")).to_be_visible(timeout=10_000)
        await expect(page.locator(HELD_BACK)).to_be_hidden()


async def test_a_renewal_that_fails_is_repeated(desk: Desk, office: Office) -> None:
    async with opening(desk, office, holds_back=False) as (tab, proxy):
        tab.watch.expected = {502}
        page = tab.page
        await page.wait_for_timeout(1500)  # what `ready` has the page look for is over
        proxy.failures = 1
        office.receive("447700900092", OURS, "After a failure")
        await expect(page.locator("a.row", has_text="After a failure")).to_be_visible(timeout=9_000)
        assert proxy.failed == 1
        await expect(page.locator(INTERRUPTED)).to_be_hidden()


async def test_renewals_that_fail_again_and_again_are_told(desk: Desk, office: Office) -> None:
    async with opening(desk, office, holds_back=False) as (tab, proxy):
        tab.watch.expected = {502}
        page = tab.page
        await page.wait_for_timeout(1500)
        proxy.failures = 3
        office.receive("447700900093", OURS, "After three failures")
        await expect(page.locator(INTERRUPTED)).to_be_visible(timeout=9_000)
        row = page.locator("a.row", has_text="After three failures")
        await expect(row).to_be_visible(timeout=30_000)
        assert proxy.failed == 3
        await expect(page.locator(INTERRUPTED)).to_be_hidden()
