"""Unread texts: what marks them, what tells of them in every tab, and marking them again."""

import re
from datetime import timedelta

import pytest

from app.domain.inbound.messages import InboundMessage
from app.storage.conversations.conversations import get_conversation
from app.storage.conversations.inbox import count_unread
from app.storage.inbound.read_marks import mark_all_read, mark_unread
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.web.visiting import Visitor, browsing

PATH = "/conversations/1"
ADA, GRACE = "447700900011", "447700900012"
SEEN, UNSEEN, HIDDEN = ({"X-Letterbox-Part": each} for each in ("seen", "unseen", "hidden"))
DIVIDER = re.compile(r'id="new" data-key="new".*?<li class="entry in" id="m(\d+)"', re.DOTALL)


def hear(number: int, source: str = ADA) -> InboundMessage:
    return make_message(
        number,
        source=source,
        body=f"text {number}",
        arrived_at=NOW + timedelta(minutes=number),
        merge_fields={"name": "Ada"},
    )


async def count_in_first(visitor: Visitor) -> int:
    found = await visitor.running.runtime.database.read(get_conversation, 1)
    return found.unread


async def ask_unread(visitor: Visitor, after: str = "") -> dict[str, object]:
    found: dict[str, object] = (await visitor.get(f"/unread?after={after}")).json()
    return found


async def test_the_divider_stands_above_the_first_unread_text_and_stays(visitor: Visitor) -> None:
    await visitor.receive(hear(1), hear(2))
    assert DIVIDER.findall(await visitor.read(PATH)) == ["1"]
    page = await visitor.read(PATH)
    assert DIVIDER.findall(page) == []
    assert 'id="new"' in page  # where the list's link leads: the end
    await visitor.receive(hear(3), hear(4))
    page = await visitor.read(PATH)
    assert DIVIDER.findall(page) == ["3"]
    [address] = re.findall(r'data-address="([^"]+)"', page)
    await visitor.receive(hear(5))
    page = (await visitor.get(address, headers=SEEN)).text
    assert DIVIDER.findall(page) == ["3"]
    assert "text 5" in page
    await visitor.receive(hear(6))
    assert DIVIDER.findall((await visitor.get(address, headers=UNSEEN)).text) == ["3"]
    assert await count_in_first(visitor) == 1
    assert DIVIDER.findall((await visitor.get(address, headers=HIDDEN)).text) == ["6"]


async def test_what_arrives_in_a_hidden_tab_gets_the_divider_and_stays_unread(
    visitor: Visitor,
) -> None:
    await visitor.receive(hear(1))
    await visitor.read(PATH)
    await visitor.receive(hear(2))
    for sight in (HIDDEN, UNSEEN):
        assert DIVIDER.findall((await visitor.get(PATH, headers=sight)).text) == ["2"]
    assert await count_in_first(visitor) == 1


async def test_only_what_the_page_shows_is_marked_as_read(visitor: Visitor) -> None:
    await visitor.receive(*(hear(number) for number in range(1, 261)))
    older = await visitor.read(f"{PATH}?before=11.1.1")
    assert len(re.findall('<li class="entry', older)) == 10
    assert await count_in_first(visitor) == 250
    at = await visitor.read(f"{PATH}?at=30")
    assert 'id="m30"' in at
    assert await count_in_first(visitor) == 230
    # The newest page goes back to the first new text, as far as a page can.
    page = await visitor.read(PATH)
    assert len(re.findall('<li class="entry', page)) == 200
    assert DIVIDER.findall(page) == ["61"]
    assert await count_in_first(visitor) == 30
    assert "30 unread" in page


async def test_many_new_texts_are_on_the_page_that_opens(visitor: Visitor) -> None:
    await visitor.receive(*(hear(number) for number in range(1, 121)))
    database = visitor.running.runtime.database
    await database.write(mark_all_read, list(range(1, 41)), NOW)
    assert DIVIDER.findall(await visitor.read(PATH)) == ["41"]
    assert await count_in_first(visitor) == 0


async def test_a_conversation_is_left_unread_by_its_button(visitor: Visitor) -> None:
    await visitor.receive(hear(1), hear(2))
    await visitor.read(PATH)
    page = await visitor.submit(f"{PATH}/unread")
    assert "Marked as unread." in page
    assert '<li data-key="c1" class="unread' in page
    assert DIVIDER.findall(await visitor.read(PATH)) == ["2"]


async def test_a_text_that_is_marked_as_unread_counts_once(visitor: Visitor) -> None:
    await visitor.receive(hear(1), hear(2))
    database = visitor.running.runtime.database
    await database.write(mark_all_read, [1, 2], NOW)
    for _ in range(2):
        assert (await database.write(mark_unread, 2)).read_at is None
        assert await count_in_first(visitor) == 1
    await database.write(mark_all_read, [1, 2], NOW)
    assert await count_in_first(visitor) == 0


async def test_conversations_with_new_texts_are_counted_up_to_a_bound(visitor: Visitor) -> None:
    assert await ask_unread(visitor, "0") == {"unread": 0, "newest": 0, "texts": []}
    await visitor.receive(hear(1), hear(2))
    await visitor.receive(hear(3, GRACE))
    assert await ask_unread(visitor) == {"unread": 2, "newest": 3, "texts": []}
    assert await visitor.running.runtime.database.read(count_unread, at_most=1) == 1
    path = "/conversations/2?at=3#m3"
    text = {"path": path, "conversation": 2, "name": "Ada", "body": "text 3"}
    assert await ask_unread(visitor, "2") == {"unread": 2, "newest": 3, "texts": [text]}
    await visitor.read("/conversations/2")
    assert await ask_unread(visitor, "2") == {"unread": 1, "newest": 3, "texts": []}


@pytest.mark.parametrize(("count", "shown"), [(1, ">1<"), (99, ">99<"), (100, ">99+<")])
async def test_the_icon_bears_the_count(lone_visitor: Visitor, count: int, shown: str) -> None:
    [icon] = re.findall(r'id="icon" href="([^"]+)"', await lone_visitor.read("/"))
    answer = await lone_visitor.get(icon.replace(".svg", f"-{count}.svg"))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert shown in answer.text


async def test_nobody_else_is_told_how_much_is_unread(lone_visitor: Visitor) -> None:
    async with browsing(lone_visitor.running) as stranger:
        assert (await stranger.get("/unread")).headers["location"].startswith("/sign-in")
