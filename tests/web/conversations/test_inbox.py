"""The inbox: what is listed in which order, what filters and searches find, and pages of it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.inbound.messages import InboundMessage
from app.domain.numbers import find_digits
from app.storage.conversations import inbox
from app.web.conversations.inbox import PAGE
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.service import NUMBER, make_forward
from tests.web.visiting import Visitor

SHOP, OFFICE = "447700900100", "447700900200"
HOSTILE = '<script>alert("x")</script>\u202e</a>&amp;'


def text_of(number: int, name: str = "", **changes: Any) -> InboundMessage:
    """Each from a sender of its own, a minute after the one before."""
    message = make_message(
        number,
        source=f"4477009{number:05}",
        merge_fields={"name": name} if name else {},
        arrived_at=NOW + timedelta(minutes=number),
        raw=b'["GET", "", null]\nmsg=x',
    )
    return replace(message, **changes)


def list_names(page: str) -> list[str]:
    found = re.findall(r'class="row-name" dir="auto">(.*?)</span>', page)
    return [re.sub("</?mark>", "", each) for each in found]


async def test_the_newest_conversation_stands_first_with_name_and_unread_count(
    visitor: Visitor,
) -> None:
    anna = text_of(1, "Anna")
    await visitor.receive(anna, text_of(2, "Ben"))
    await visitor.receive(
        replace(text_of(3, body="Again"), source=anna.source, merge_fields={"name": "Anna"})
    )
    page = await visitor.read("/")
    assert list_names(page) == ["Anna", "Ben"]
    assert '2<span class="for-readers"> unread' in page
    assert "Again" in page


async def test_a_sender_without_a_name_is_shown_by_number(lone_visitor: Visitor) -> None:
    await lone_visitor.receive(text_of(1), text_of(2, source="ACME"), text_of(3, source=""))
    assert list_names(await lone_visitor.read("/")) == ["No number", "ACME", "+44 7700 900001"]


async def test_hostile_texts_and_names_are_only_text(lone_visitor: Visitor) -> None:
    await lone_visitor.receive(text_of(1, HOSTILE, body=HOSTILE))
    for path in ("/", "/?q=script", "/conversations/1", "/messages/1"):
        page = await lone_visitor.read(path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page


async def test_pages_follow_each_other_without_a_gap_or_a_double(visitor: Visitor) -> None:
    count = 2 * PAGE + 5
    await visitor.receive(*(text_of(n, f"P{n}") for n in range(1, count + 1)))
    seen: list[str] = []
    path: str | None = "/"
    while path:
        page = await visitor.read(path)
        seen += list_names(page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older[1].replace("&amp;", "&") if older else None
    assert seen == [f"P{n}" for n in range(count, 0, -1)]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("before", ["x", "1", "-", "9" * 40, "1-" + "9" * 40, "\u0663-\u0661"])
async def test_a_place_that_no_link_of_ours_names_is_the_newest(
    shared_lone_visitor: Visitor, before: str
) -> None:
    assert (await shared_lone_visitor.get("/", params={"before": before})).status_code == 200
    found = await shared_lone_visitor.get(
        "/", params={"before": before, "q": "x", "view": "nonsense"}
    )
    assert found.status_code == 200


async def test_a_number_and_unread_texts_can_be_shown_alone(visitor: Visitor) -> None:
    await visitor.receive(text_of(1, "Anna"), text_of(2, "Ben", dest=OFFICE), text_of(3, "Cem"))
    [cem] = re.findall(
        r'href="([^"]+)">\s*<span class="row-name" dir="auto">Cem', await visitor.read("/")
    )
    await visitor.read(cem)
    assert list_names(await visitor.read(f"/?number={OFFICE}")) == ["Ben"]
    assert list_names(await visitor.read("/?view=unread")) == ["Ben", "Anna"]
    assert list_names(await visitor.read(f"/?view=unread&number={SHOP}")) == ["Anna"]


async def test_texts_with_problems_can_be_shown_alone_with_what_is_wrong(visitor: Visitor) -> None:
    await visitor.receive(
        text_of(1, "Anna", problems=("time", "repeated")), text_of(2, "Ben"), text_of(3, "Cem")
    )
    page = await visitor.read("/?view=problems")
    assert list_names(page) == ["Anna"]
    assert "No time" in page
    assert "Field repeated" in page


async def test_a_search_finds_names_numbers_and_texts(visitor: Visitor) -> None:
    await visitor.receive(
        text_of(1, "Jörg Müller"), text_of(2, "Ben", body="When does JÖRG come?"), text_of(3, "Cem")
    )
    assert list_names(await visitor.read("/?q=jörg")) == ["Jörg Müller", "Ben"]
    assert list_names(await visitor.read("/?q=07700 900003")) == ["Cem"]
    assert list_names(await visitor.read("/?q=%2B447700900003")) == ["Cem"]
    assert list_names(await visitor.read("/?q=00003")) == ["Cem"]
    assert "Nothing found" in await visitor.read("/?q=zebra")
    await visitor.receive(text_of(4, source="ACME Ltd"))
    assert list_names(await visitor.read("/?q=acme")) == ["ACME Ltd"]


async def test_a_text_that_is_found_leads_to_its_place(visitor: Visitor) -> None:
    await visitor.receive(*(text_of(n, source="447700900001") for n in range(1, 151)))
    page = await visitor.read("/?q=text%2010")
    [path] = set(re.findall(r'href="(/conversations/1\?at=10)#m10"', page))
    opened = await visitor.read(path)
    assert 'id="m10"' in opened
    assert 'id="m11"' not in opened


def test_what_looks_like_a_part_of_a_number_is_one() -> None:
    assert find_digits("07700 900123", "GB") == "447700900123"
    assert find_digits("900123", "GB") == "900123"
    assert find_digits("12", "GB") == ""
    assert find_digits("anna", "GB") == ""


async def test_people_are_looked_for_among_a_bounded_number_of_conversations(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PEOPLE_ROWS", 2)
    await visitor.receive(text_of(1, "Anna"), text_of(2, "Ben"), text_of(3, "Cem"))
    assert list_names(await visitor.read("/?q=cem")) == ["Cem"]
    assert list_names(await visitor.read("/?q=anna")) == []
    assert list_names(await visitor.read("/?q=447700900001")) == ["Anna"]
    await visitor.receive(text_of(4, source="ACME"), text_of(5), text_of(6))
    assert list_names(await visitor.read("/?q=ACME")) == ["ACME"]


async def test_an_empty_inbox_says_what_will_come(lone_visitor: Visitor) -> None:
    assert "Texts appear here" in await lone_visitor.read("/")
    assert "All read" in await lone_visitor.read("/?view=unread")
    assert "No received text had a problem" in await lone_visitor.read("/?view=problems")


async def test_a_refused_forward_to_our_number_shows_on_the_inbox_and_the_overview(
    visitor: Visitor,
) -> None:
    runtime = visitor.running.runtime
    assert "was refused" not in await visitor.read("/")
    answer = await visitor.get(f"/inbound?{make_forward('1', auth='wrong-one')}")
    assert answer.status_code == 403
    await runtime.housekeeper.write_deferred()
    for path in ("/", "/overview", "/alerts"):
        page = await visitor.read(path)
        assert f"A forward to {NUMBER} was refused: its auth value is wrong." in page
    assert "Its <code>auth</code> value is not one of ours" in await visitor.read("/refusals")


async def test_what_may_be_an_opt_out_is_marked_in_the_inbox(visitor: Visitor) -> None:
    await visitor.receive(make_message(1, body="STOPP"))
    assert "Opt-out?" in await visitor.read("/")
    assert "possibly an opt-out" in await visitor.read("/conversations/1")
