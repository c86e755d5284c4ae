"""A real browser over a real service: what a page must never do fails the test that opened it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

# All modules with browser tests carry it: a worker's browser and service serve them in one loop.
IN_BROWSER = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1440, "height": 900}
# Where something hangs, the test says so before its own time is up.
PATIENCE_MS = 30_000
REPORT_VIOLATIONS = (
    "document.addEventListener('securitypolicyviolation',"
    " event => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"
)

# What a page does well, axe would tell at far greater length.
RUN_AXE = """async () => {
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary ?? ""}`));
}"""


@dataclass
class Watch:
    """Gathers what no page may do: errors of scripts and policy, foreign requests, answers of 5xx.

    `expected` holds statuses that the test provokes.
    """

    host: str
    faults: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._note_console)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("request", self._note_request)
        context.on("response", self._note_response)

    def take_faults(self) -> list[str]:
        """What went wrong since it was last asked."""
        taken, self.faults = self.faults, []
        return taken

    def _note_console(self, message: ConsoleMessage) -> None:
        # Of an answer that is no 200 the browser says so; `_note_response` judges those.
        if message.type == "error" and not message.text.startswith("Failed to load resource: the"):
            self.faults.append(f"console: {message.text}")

    def _note_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != self.host:
            self.faults.append(f"foreign: {request.url}")

    def _note_response(self, response: Response) -> None:
        is_page = response.request.is_navigation_request()
        refused = response.status >= 500 or (response.status >= 400 and not is_page)
        if refused and response.status not in self.expected:
            self.faults.append(
                f"answer: {response.status} to {response.request.method} {response.url}"
            )


@dataclass
class Desk:
    """Opens pages of one service in contexts of their own, and ends them."""

    browser: Browser
    url: str
    state: Mapping[str, Any] | None = None

    @asynccontextmanager
    async def open(
        self,
        *,
        size: Mapping[str, int] = DESK,
        dark: bool = False,
        scripts: bool = True,
        signed_in: bool = True,
        **options: Any,
    ) -> AsyncIterator["Tab"]:
        """A page in a context of its own; at the end nothing may have gone wrong in it."""
        context = await self.browser.new_context(
            base_url=self.url,
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            storage_state=self.state if signed_in else None,  # type: ignore[arg-type]
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        watch = Watch(urlsplit(self.url).netloc)
        watch.follow(context)
        try:
            await context.add_init_script(REPORT_VIOLATIONS)
            yield Tab(await context.new_page(), watch)
        finally:
            await context.close()
        assert watch.take_faults() == []


@dataclass
class Tab:
    """A page and what is noted about it and its siblings."""

    page: Page
    watch: Watch

    async def open_another(self) -> Page:
        """Another tab of the same person."""
        return await self.page.context.new_page()


def hearing_stream(page: Page) -> AbstractAsyncContextManager[Any]:
    """Ends once the page hears what changes: at the end of what is done within."""
    return page.expect_response(lambda answer: answer.url.endswith("/live"))


async def find_violations(page: Page) -> list[str]:
    """What axe-core finds wrong, each with the elements and why; it passes any policy."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    found: list[str] = await page.evaluate(RUN_AXE)
    return found


async def measure_overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width: int = await page.evaluate(
        "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
