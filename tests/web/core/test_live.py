"""/live: what open pages are told, and until when."""

from collections.abc import AsyncIterator

import pytest

from app.web.application import Pages
from tests.api.streams import Stream, opening
from tests.support.messages import make_message
from tests.web.visiting import Visitor


def list_cookies(visitor: Visitor) -> list[tuple[bytes, bytes]]:
    cookies = "; ".join(f"{each.name}={each.value}" for each in visitor.client.cookies.jar)
    return [(b"cookie", cookies.encode())]


@pytest.fixture
async def stream(visitor: Visitor) -> AsyncIterator[Stream]:
    """What a browser hears whose session is looked at all the time."""
    pages = Pages(visitor.running.runtime, recheck_seconds=0.05)
    async with opening(pages, "/live", list_cookies(visitor)) as opened:
        yield opened


async def test_a_page_hears_whose_text_came_and_no_word_of_it(
    visitor: Visitor, stream: Stream
) -> None:
    assert (await stream.next()).name == "ready"
    await visitor.receive(make_message(1, body="A secret"))
    event = await stream.next()
    assert (event.name, event.data) == ("message", '["447700900001", "447700900100"]')


async def test_a_stream_ends_with_its_session(visitor: Visitor, stream: Stream) -> None:
    await stream.next()
    await visitor.submit("/sign-out")
    await stream.wait_until_ended()


async def test_whoever_is_not_signed_in_hears_nothing(lone_visitor: Visitor) -> None:
    lone_visitor.client.cookies.clear()
    answer = await lone_visitor.get("/live")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/live"
