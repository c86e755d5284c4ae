"""Two people at once in browsers of their own: Ada, an admin, and Grace, of the office."""

from playwright.async_api import expect

from tests.web.browser import IN_BROWSER, Desk
from tests.web.conftest import Office

pytestmark = IN_BROWSER

PASSWORD = "a wall of bricks"


async def test_an_admin_invites_a_member_and_deactivates_them_while_they_look(
    desk: Desk, office: Office
) -> None:
    async with desk.open() as admin, desk.open(signed_in=False) as clerk:
        clerk.watch.expected.add(403)
        await admin.page.goto("/members")
        await admin.page.fill("#name", "Hedy")
        await admin.page.get_by_role("button", name="Invite").click()
        link = await admin.page.input_value("#link")
        await admin.page.reload()
        assert await admin.page.input_value("#link") == link

        await clerk.page.goto(link)
        await clerk.page.fill("#password", PASSWORD)
        await clerk.page.fill("#again", PASSWORD)
        await clerk.page.get_by_role("button", name="Save and sign in").click()
        await expect(clerk.page.locator("h1")).to_have_text("Inbox")
        menu = clerk.page.locator("nav.wide")
        await expect(menu.get_by_role("link", name="Outbox")).to_be_visible()
        await expect(menu.get_by_role("link", name="Members")).to_have_count(0)
        await clerk.page.goto("/members")
        await expect(clerk.page.locator("h1")).to_have_text("For admins")
        await clerk.page.goto("/opt-outs")

        await admin.page.reload()
        await expect(admin.page.get_by_text("Active", exact=True)).to_be_visible()
        await admin.page.get_by_role("link", name="Deactivate…").click()
        await admin.page.get_by_role("button", name="Deactivate").click()
        await expect(admin.page.get_by_text("Deactivated", exact=True)).to_be_visible()
        # Their page goes there by itself.
        await expect(clerk.page.locator("h1")).to_have_text("Sign in")
        await expect(clerk.page.get_by_text("Your session has ended.")).to_be_visible()
        await admin.page.goto("/audit")
        await expect(admin.page.locator("tbody tr").first).to_contain_text("deactivated Hedy")
    assert office.service.get("/members")["items"]
