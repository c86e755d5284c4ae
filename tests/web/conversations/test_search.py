"""A search finds people and texts of both directions, in the inbox and in the outbox."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import ADA, GRACE
from tests.web.visiting import Visitor, visiting_with_account

SHOP, BAR = "447700900100", "447700900200"
HOSTILE = "<b>harbour</b> & caf\u00e9"


@pytest.fixture
async def clerk(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_with_account(database_url, tmp_path) as visitor:
        name = {"name": "Ada Harbour"}
        await visitor.receive(make_message(1, source=ADA, dest=SHOP, body="hi", merge_fields=name))
        yield visitor


async def send(visitor: Visitor, to: str, body: str, source: str = SHOP) -> None:
    sent = {"to": to, "source": source, "body": body}
    await visitor.running.send("POST", "/outbound", sent)


def list_rows(page: str, list_id: str) -> list[str]:
    """The names and texts of a list's rows, with what is marked in brackets."""
    found = re.search(rf'<[ou]l class="rows" id="{list_id}".*?</[ou]l>', page, re.DOTALL)
    marked = re.sub("<mark>(.*?)</mark>", r"[\1]", found[0] if found else "")
    rows = re.findall(
        r'row-name" dir="auto">(.*?)</span>.*?row-text"[^>]*>(.*?)</span>', marked, re.DOTALL
    )
    return [f"{name}: {re.sub('</?bdi>', '', text).strip()}" for name, text in rows]


async def test_the_inbox_finds_what_we_sent_beside_what_came(clerk: Visitor) -> None:
    await send(clerk, GRACE, HOSTILE)
    clerk.running.clock.now += timedelta(minutes=5)
    message = make_message(
        2,
        source=GRACE,
        dest=BAR,
        body="HARBOUR?",
        merge_fields={},
        arrived_at=NOW + timedelta(minutes=5),
    )
    await clerk.receive(message)
    page = await clerk.read("/?q=harbour")
    assert list_rows(page, "people") == ["Ada [Harbour]: +44 7700 900011"]
    assert list_rows(page, "texts") == [
        "+44 7700 900012: [HARBOUR]?",
        "+44 7700 900012: You: &lt;b&gt;[harbour]&lt;/b&gt; &amp; caf\u00e9",
    ]
    shop = await clerk.read(f"/?q=cafe\u0301&number={SHOP}")
    assert list_rows(shop, "texts") == [
        "+44 7700 900012: You: &lt;b&gt;harbour&lt;/b&gt; &amp; [caf\u00e9]"
    ]
    assert list_rows(await clerk.read(f"/?q=harbour&number={BAR}"), "texts") == [
        "+44 7700 900012: [HARBOUR]?"
    ]
    assert list_rows(await clerk.read("/?q=harbour&view=unread"), "texts") == [
        "+44 7700 900012: [HARBOUR]?"
    ]
    people = list_rows(await clerk.read("/?q=0900011"), "people")
    assert people == ["Ada Harbour: +44 7700 [900011]"]


async def test_a_sent_text_that_is_found_leads_to_its_place_in_the_conversation(
    clerk: Visitor,
) -> None:
    await send(clerk, ADA, "the lighthouse")
    path = "/conversations/1/sent/1"
    assert path in await clerk.read("/?q=lighthouse")
    answer = await clerk.get(path)
    assert answer.headers["location"] == "/conversations/1#o1"
    for number in range(60):
        clerk.running.clock.now += timedelta(minutes=1)
        await send(clerk, ADA, f"text {number}")
    place = (await clerk.get(path)).headers["location"]
    opened = await clerk.read(place.partition("#")[0])
    assert place.endswith("#o1")
    assert 'id="o1"' in opened
    assert 'id="o2"' not in opened
    assert (await clerk.get("/conversations/1/sent/99")).status_code == 404


async def test_the_outbox_finds_texts_names_and_numbers(clerk: Visitor) -> None:
    await send(clerk, ADA, HOSTILE)
    await send(clerk, GRACE, "nothing")
    page = await clerk.read("/outbox?q=Harbour")
    assert list_rows(page, "people") == ["Ada [Harbour]: +44 7700 900011"]
    assert "&lt;b&gt;<mark>harbour</mark>&lt;/b&gt; &amp; caf\u00e9" in page
    assert "nothing" not in page
    [link] = re.findall(r'href="(/outbox\?to=\d+)"', page)
    assert "harbour" in await clerk.read(link)
    assert "nothing" not in await clerk.read(link)
    page = await clerk.read("/outbox?q=900012")
    assert list_rows(page, "people") == ["+44 7700 [900012]: "]
    assert "No such texts" in page
    assert "Nothing found" in await clerk.read("/outbox?q=zebra")
    answer = await clerk.get("/outbox/csv?q=harbour")
    assert answer.text.count(ADA) == 1
    assert GRACE not in answer.text
