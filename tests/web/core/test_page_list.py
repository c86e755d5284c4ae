"""That no page is left out of what is looked at in a real browser."""

from app.web.application import Pages
from tests.web.core.test_every_page import NO_PAGES, PAGES
from tests.web.visiting import Visitor


async def test_every_page_is_looked_at_in_a_browser(lone_visitor: Visitor) -> None:
    assert set(Pages(lone_visitor.running.runtime).paths) == PAGES.keys() | NO_PAGES
