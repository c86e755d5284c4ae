"""A conversation: both directions in one thread, reading, and what people do about texts."""

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.domain.ids import encode_id
from app.storage.db.database import Connection
from app.storage.tables.access import audit
from tests.conftest import NOW
from tests.support.simulated import ADA
from tests.web.conversations.thread import (
    PATH,
    RAW,
    SHOP,
    change_outbound,
    count_unread,
    hear,
    list_thread,
    read_statuses,
    write,
)
from tests.web.visiting import Visitor, browsing


async def test_both_directions_are_one_thread_by_time(clerk: Visitor) -> None:
    await write(clerk, "Yes, till five")
    clerk.running.clock.now += timedelta(minutes=5)
    await clerk.receive(hear(2, "Thanks", arrived_at=clerk.running.clock.now))
    page = await clerk.read(PATH)
    assert list_thread(page) == ["Are you open?", "Yes, till five", "Thanks"]
    assert "by a program (shop)" in page


async def test_a_long_thread_is_read_page_by_page_without_a_gap(clerk: Visitor) -> None:
    await clerk.receive(*(hear(n, f"in {n}", arrived_at=NOW) for n in range(2, 62)))
    for n in range(60):
        clerk.running.clock.now += timedelta(minutes=1)
        await write(clerk, f"out {n}")
    seen: list[str] = []
    path: str | None = PATH
    while path:
        page = await clerk.read(path)
        seen = list_thread(page) + seen
        older = re.search(r'<p class="older"><a href="([^"]+)"', page)
        path = older[1] if older else None
    expected = ["Are you open?", *(f"in {n}" for n in range(2, 62))]
    assert seen == [*expected, *(f"out {n}" for n in range(60))]


async def test_who_it_is_with_stands_beside_it_by_the_numbers_own_names(clerk: Visitor) -> None:
    await clerk.running.send(
        "POST",
        "/numbers",
        {"number": SHOP, "label": "The shop", "merge_field_names": {"1": "customer"}},
    )
    page = await clerk.read(PATH)
    facts = dict(re.findall(r"<dt[^>]*>([^<]+)</dt><dd[^>]*>([^<]+)</dd>", page))
    assert facts["customer"] == "C-1001"
    assert facts["Email"] == "ada@example.com"
    assert "Reply from The shop" in page


async def test_opening_marks_as_read_what_is_seen_and_nothing_else(clerk: Visitor) -> None:
    await clerk.get(PATH, headers={"Sec-Purpose": "prefetch;prerender"})
    await clerk.client.head(PATH)
    await clerk.get(PATH, headers={"X-Letterbox-Part": "unseen"})
    assert await count_unread(clerk) == 1
    await clerk.read(PATH)
    assert await count_unread(clerk) == 0
    await clerk.receive(hear(2, "Hello?"))
    await clerk.get(PATH, headers={"X-Letterbox-Part": "seen"})
    assert await count_unread(clerk) == 0
    assert (await clerk.running.read("/messages?unread=true"))["items"] == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"status": "delivered"}, ["Delivered"]),
        (
            {"status": "failed", "error_code": "-401", "error_text": "Invalid Destination Address"},
            ["Failed", "Invalid Destination Address (code -401)."],
        ),
        ({"status": "held", "held_reason": "account"}, ["Held", "account cannot send now"]),
        ({"status": "held", "held_reason": "daily-limit"}, ["Held", "sent tomorrow"]),
        ({"status": "uncertain"}, ["Uncertain", "may or may not have been sent", "do not resend"]),
        ({"status": "undelivered"}, ["Not delivered"]),
        ({"status": "expired"}, ["Expired"]),
        ({"status": "sending"}, ["Being sent"]),
    ],
)
async def test_where_a_text_is_stands_in_words(
    lone_clerk: Visitor, values: dict[str, object], words: list[str]
) -> None:
    await write(lone_clerk, "Hello")
    await change_outbound(lone_clerk, **values)
    page = await lone_clerk.read(PATH)
    assert [word for word in words if word not in page] == []


@pytest.mark.parametrize(
    ("outcome", "status"), [("sent", "sent"), ("resend", "queued"), ("failed", "failed")]
)
async def test_an_uncertain_text_is_settled_by_a_persons_word(
    clerk: Visitor, outcome: str, status: str
) -> None:
    await write(clerk, "Hello")
    await change_outbound(clerk, status="uncertain")
    refused = await clerk.submit("/texts/1/resolve", {"next": PATH})
    assert "Choose what happened to the text." in refused
    page = await clerk.submit("/texts/1/resolve", {"next": PATH, "outcome": outcome})
    assert 'class="note done"' in page
    assert await read_statuses(clerk) == [status]

    def read_actors(conn: Connection) -> list[str]:
        query = select(audit.c.actor).where(audit.c.action == "outbound.resolve")
        return list(conn.execute(query).scalars())

    assert await clerk.running.runtime.database.read(read_actors) == ["member:mem_1"]


async def test_a_word_about_an_older_attempt_settles_nothing(clerk: Visitor) -> None:
    await write(clerk, "Hello")
    await change_outbound(clerk, status="uncertain", attempts=1)
    assert 'name="attempt" value="1"' in await clerk.read(PATH)
    await change_outbound(clerk, status="uncertain", attempts=2)
    form = {"next": PATH, "outcome": "resend", "attempt": "1"}
    assert "look at it anew" in await clerk.submit("/texts/1/resolve", form)
    assert await read_statuses(clerk) == ["uncertain"]
    await clerk.submit("/texts/1/resolve", form | {"attempt": "2"})
    assert await read_statuses(clerk) == ["queued"]


async def test_the_sender_can_be_opted_out_and_back_in(clerk: Visitor) -> None:
    page = await clerk.submit(f"{PATH}/opt-out", {"out": "1", "reason": "Asked by phone"})
    assert "Opted out" in page
    assert "Asked by phone" in page
    answer = await clerk.post(f"{PATH}/reply", {"body": "Hello"})
    assert answer.status_code == 422
    assert f"{ADA} has opted out of texts" in answer.text
    await clerk.submit(f"{PATH}/reply", {"body": "As you asked", "force": "on"})
    page = await clerk.submit(f"{PATH}/opt-out", {"in": "1"})
    assert "Opt back in" not in page


async def test_problems_are_explained_with_the_request_one_click_away(
    lone_visitor: Visitor,
) -> None:
    odd = hear(
        1,
        "caf\xe9",
        problems=("charset", "time"),
        raw=b'["GET", "", null]\nmsg=caf%E9&source=447700900011&XTRA=%00',
    )
    await lone_visitor.receive(odd)
    page = await lone_visitor.read(PATH)
    assert "some characters may be wrong" in page
    assert 'href="/messages/1"' in page
    request = await lone_visitor.read("/messages/1")
    assert "caf\\xe9" in request
    assert "XTRA" in request
    assert f'href="{PATH}?at=1#m1"' in request


async def test_a_text_is_read_again_for_rules_that_are_new(clerk: Visitor) -> None:
    page = await clerk.submit("/messages/1/replay")
    assert "Reprocessed: no rule answers it anew." in page
    await clerk.running.send("POST", "/rules", {"name": "All", "reply": "Yes"})
    await clerk.receive(hear(2, "Hello?", raw=RAW, arrived_at=NOW))
    await clerk.submit("/messages/2/replay")
    assert len((await clerk.running.read("/outbound"))["items"]) == 1


@pytest.mark.parametrize("path", ["/conversations/9", "/messages/9", "/conversations/x"])
async def test_what_is_not_there_is_a_page(lone_visitor: Visitor, path: str) -> None:
    assert (await lone_visitor.get(path)).status_code == 404
    assert (await lone_visitor.get(f"{path}0000000000000000000000")).status_code == 404


async def test_reading_in_many_windows_at_once_counts_each_text_once(clerk: Visitor) -> None:
    await clerk.receive(*(hear(n, f"in {n}") for n in range(2, 30)))
    async with browsing(clerk.running) as other:
        await other.sign_in("Grace")
        one_by_one = [
            clerk.running.send("POST", f"/messages/{encode_id('msg', n)}/read")
            for n in range(29, 20, -1)
        ]
        await asyncio.gather(*(each.read(PATH) for each in (clerk, other) * 4), *one_by_one)
    assert await count_unread(clerk) == 0
    await clerk.receive(hear(30, "And now?"))
    assert await count_unread(clerk) == 1
