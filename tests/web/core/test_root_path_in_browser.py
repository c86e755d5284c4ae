"""The pages below a path of their host, in a real browser: scripts, live arrival and forms."""

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.support.service import find_free_port, running
from tests.web.browser import IN_BROWSER
from tests.web.conftest import PASSWORD

pytestmark = IN_BROWSER


async def test_pages_live_and_scripts_work_below_a_path(browser: Browser, tmp_path: Path) -> None:
    port = find_free_port()
    base = f"http://127.0.0.1:{port}/texts"
    settings = {"public_url": base, "admin_password": PASSWORD, "provider_token": "demo-token"}
    settings["provider_url"] = "http://127.0.0.1:9/api"
    with running(tmp_path / "data", port=port, **settings) as service:  # type: ignore[arg-type]
        context = await browser.new_context()
        page = await context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "response",
            lambda answer: faults.append(answer.url) if answer.status >= 400 else None,
        )
        await page.goto(f"{base}/outbox")
        await page.fill("[name=name]", "Grace")
        await page.fill("[name=password]", PASSWORD)
        async with page.expect_response(f"{base}/live"):
            await page.click("main button.primary")
        assert page.url == f"{base}/outbox"
        assert {each["path"] for each in await context.cookies()} == {"/texts"}
        await page.get_by_role("link", name="Inbox").first.click()
        assert page.url == f"{base}/"
        async with page.expect_response(f"{base}/live"):
            await page.reload()
        for path in ("/texts/inbound", "/inbound"):
            query = f"source=447700900123&dest=447700900456&msg=Via+{path[1:]}&auth="
            taken = service.ask(f"{path}?{query}an-auth-value-of-the-tests")
            assert taken.status == 200
        await expect(page.locator("a.row", has_text="Via")).to_be_visible(timeout=15_000)
        await page.locator("a.row").first.click()
        assert page.url.startswith(f"{base}/conversations/")
        async with page.expect_response(f"{base}/measure"):
            await page.fill("#body", "An answer")
        await page.goto(f"{base}/rules/new")
        async with page.expect_response(f"{base}/rules/try"):
            await page.fill("[name=reply]", "We are open")
        await page.get_by_role("button", name="Sign out", exact=True).first.click()
        assert page.url == f"{base}/sign-in"
        assert faults == []
        await context.close()
