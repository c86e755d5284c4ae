"""Replies in a conversation: queued once, kept when they cannot go, waiting for their time."""

import asyncio

from tests.support.simulated import ADA
from tests.web.conversations.thread import (
    PATH,
    SHOP,
    change_outbound,
    hear,
    list_thread,
    read_statuses,
)
from tests.web.visiting import Visitor


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
