"""A conversation: both directions in one thread, reading, replies, what people do about texts."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.domain.ids import encode_id
from app.domain.inbound.messages import InboundMessage
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.compose import compose_once
from app.storage.db.database import Connection
from app.storage.tables.access import audit
from app.storage.tables.conversations import conversations
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import ADA, LONDON, simulated_in_process
from tests.web.visiting import Visitor, browsing, visiting

SHOP = "447700900100"
PATH = "/conversations/1"
RAW = b'["GET", "", null]\nsource=447700900011&dest=447700900100&id=1&msg=Are+you+open%3F'


@pytest.fixture
async def clerk(database_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody with an account of a provider, to whom Ada has written once."""
    async with (
        simulated_in_process() as provider,
        visiting(database_url, tmp_path, provider=provider.client) as visitor,
    ):
        await visitor.receive(hear(1, "Are you open?"))
        yield visitor


def hear(number: int, body: str, **changes: Any) -> InboundMessage:
    message = make_message(
        number,
        source=ADA,
        body=body,
        arrived_at=NOW - timedelta(minutes=60 - number),
        merge_fields={"name": "Ada", "email": "ada@example.com", "1": "C-1001"},
        raw=RAW,
    )
    return replace(message, **changes)


def list_thread(page: str) -> list[str]:
    """The texts of the thread as they stand, oldest first."""
    return re.findall(r'<p class="body" dir="auto">([^<]*)</p>', page)


async def write(visitor: Visitor, body: str) -> None:
    await compose_once(
        visitor.running.runtime.database,
        OutboundRequest(SHOP, body, to=ADA),
        None,
        lambda _queued: {},
        who="key:shop",
        region="GB",
        zone=LONDON,
        now=visitor.running.clock.now,
    )


async def change_outbound(visitor: Visitor, **values: object) -> None:
    def change(conn: Connection) -> None:
        conn.execute(update(outbound).values(**values))

    await visitor.running.runtime.database.write(change)


async def read_statuses(visitor: Visitor) -> list[str]:
    def read(conn: Connection) -> list[str]:
        return list(conn.execute(select(outbound.c.status).order_by(outbound.c.id)).scalars())

    return await visitor.running.runtime.database.read(read)


async def count_unread(visitor: Visitor) -> int:
    def read(conn: Connection) -> int:
        return int(conn.execute(select(conversations.c.unread)).scalar_one())

    return await visitor.running.runtime.database.read(read)


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


async def test_a_reply_is_queued_once_however_often_its_form_comes(clerk: Visitor) -> None:
    form = {"body": "Yes, we\u2019re open", "once": "a-nonce"}
    page = await clerk.submit(f"{PATH}/reply", form)
    assert "Queued: it will be sent in a moment." in page
    await clerk.submit(f"{PATH}/reply", form)
    assert list_thread(await clerk.read(PATH)) == ["Are you open?", "Yes, we\u2019re open"]
    await clerk.submit(f"{PATH}/reply", form | {"body": "And on Sunday, too"})
    [newest, oldest] = (await clerk.running.read("/outbound"))["items"]
    assert (newest["source"], newest["to"], newest["in_reply_to"]) == (SHOP, ADA, "msg_1")
    assert oldest["body"] == "Yes, we\u2019re open"
    assert "by Ada" in await clerk.read(PATH)


async def test_a_reply_that_cannot_go_keeps_what_was_typed(clerk: Visitor) -> None:
    answer = await clerk.post(
        f"{PATH}/reply", {"body": "x" * 460, "schedule_at": "2026-06-02T10:00"}
    )
    assert answer.status_code == 422
    assert "x" * 460 in answer.text
    assert 'value="2026-06-02T10:00"' in answer.text
    assert 'id="body-error"' in answer.text
    assert "1 too many:" in answer.text
    answer = await clerk.post(f"{PATH}/reply", {"body": "late", "schedule_at": "2020-06-02T10:00"})
    assert 'id="schedule_at-error"' in answer.text
    assert await read_statuses(clerk) == []


async def test_a_reply_can_be_counted_before_it_goes(clerk: Visitor) -> None:
    answer = await clerk.post(f"{PATH}/reply", {"body": "It\u2019s 5 €", "preview": "1"})
    assert "8 characters" in answer.text
    assert "UCS-2" in answer.text
    assert "<code>\u2019</code>" in answer.text
    assert await read_statuses(clerk) == []
    part = await clerk.post("/measure", {"body": "It's 5 €", "to": "07700 900011, +1 201 555 0123"})
    assert "GSM-7" in part.text
    assert "about 3 credits for 2 numbers" in part.text
    assert "<html" not in part.text


async def test_a_reply_can_wait_for_its_time_and_be_cancelled(clerk: Visitor) -> None:
    form = {"body": "Tomorrow", "schedule_at": "2026-06-02T10:00"}
    page = await clerk.submit(f"{PATH}/reply", form)
    assert "Scheduled" in page
    assert 'datetime="2026-06-02T09:00:00Z"' in page
    page = await clerk.submit("/texts/1/cancel", {"next": PATH})
    assert "Cancelled: it will not be sent." in page
    assert await read_statuses(clerk) == ["cancelled"]
    await change_outbound(clerk, status="delivered")
    page = await clerk.submit("/texts/1/cancel", {"next": PATH})
    assert 'class="note failed"' in page


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


@pytest.fixture
async def lone_clerk(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with (
        simulated_in_process() as provider,
        visiting(sqlite_url, tmp_path, provider=provider.client) as visitor,
    ):
        await visitor.receive(hear(1, "Are you open?"))
        yield visitor


async def test_a_double_click_queues_one_reply_and_says_so_twice(clerk: Visitor) -> None:
    form = {"body": "We are open", "once": "a-nonce"}
    answers = await asyncio.gather(*(clerk.post(f"{PATH}/reply", form) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [303] * 4
    assert len((await clerk.running.read("/outbound"))["items"]) == 1


async def test_a_form_that_comes_back_with_an_error_is_still_the_same_form(clerk: Visitor) -> None:
    form = {"body": "", "once": "a-nonce"}
    answer = await clerk.post(f"{PATH}/reply", form)
    assert answer.status_code == 422
    assert 'name="once" value="a-nonce"' in answer.text


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


async def test_a_sender_whom_nobody_can_text_has_no_reply_box(lone_visitor: Visitor) -> None:
    await lone_visitor.receive(hear(1, "Your parcel", source="ACME", merge_fields={}))
    page = await lone_visitor.read(PATH)
    assert "cannot be texted back" in page
    assert 'name="body"' not in page


async def test_without_an_account_a_reply_is_kept_in_the_form(lone_visitor: Visitor) -> None:
    await lone_visitor.receive(hear(1, "Are you open?"))
    answer = await lone_visitor.post(f"{PATH}/reply", {"body": "Yes"})
    assert answer.status_code == 409
    assert "LETTERBOX_PROVIDER_TOKEN" in answer.text
    assert "\nYes</textarea>" in answer.text


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
