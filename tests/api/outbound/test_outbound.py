"""POST /outbound: what is queued, refused and warned of."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.storage.conversations.conversations import open_conversations
from app.storage.db.database import SESSION_SETTINGS, PostgresDatabase
from app.storage.outbound.sending.sender import note_credits, pause_sender
from tests.api.post import ABROAD, SHOP, Post, open_post
from tests.api.running import Running
from tests.conftest import NOW
from tests.support.simulated import ADA, GRACE


async def test_a_queued_text_is_the_object_of_the_contract(post: Post) -> None:
    answer = await post.send("07700 900011", body="Hello Ada")
    assert answer == {
        "items": [
            {
                "id": "out_1",
                "to": ADA,
                "list": None,
                "group": None,
                "recipients": None,
                "conversation_id": "cnv_1",
                "reference": None,
                "metadata": {},
                "source": SHOP,
                "body": "Hello Ada",
                "parts": 1,
                "status": "queued",
                "held_reason": None,
                "provider_status": None,
                "provider_ids": [],
                "background_ids": [],
                "error": None,
                "in_reply_to": None,
                "rule_id": None,
                "batch_id": None,
                "attempts": 0,
                "schedule_at": None,
                "send_before": "2026-06-02T12:00:00.000000Z",
                "created_at": "2026-06-01T12:00:00.000000Z",
                "sent_at": None,
                "settled_at": None,
                "attended_at": None,
            }
        ],
        "parts": 1,
        "estimated_credits": 1,
        "warnings": [],
    }
    assert (await post.api.read("/outbound"))["items"] == answer["items"]


async def test_many_numbers_become_a_text_each_in_their_order(post: Post) -> None:
    answer = await post.send([GRACE, "+44 7700 900011", f"00{GRACE}", f"+{ABROAD}"])
    assert [each["to"] for each in answer["items"]] == [GRACE, ADA, ABROAD]
    assert (answer["parts"], answer["estimated_credits"]) == (1, 4)
    await post.deliver()
    assert sorted(post.provider.list_taken()) == sorted([GRACE, ADA, ABROAD])


async def test_a_hundred_numbers_are_queued_at_once_and_no_more(post: Post) -> None:
    numbers = [f"447700900{number:03}" for number in range(101)]
    assert len((await post.send(numbers[:100]))["items"]) == 100
    answer = await post.try_to_send(numbers)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "to", "code": "invalid", "detail": "send to 1 to 100 numbers at once"}
    ]
    assert len((await post.api.read("/conversations", params={"limit": 500}))["items"]) == 100


async def test_any_number_that_is_off_or_opted_out_refuses_all_and_each_is_named(
    post: Post,
) -> None:
    await post.opt_out(GRACE)
    answer = await post.try_to_send([ADA, "call me", GRACE, "12"])
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/invalid-input"
    assert [each["field"] for each in problem["errors"]] == ["to.1", "to.2", "to.3"]
    assert problem["errors"][1]["detail"] == f"{GRACE} has opted out of texts"
    assert await post.find() == []
    assert (await post.api.read("/conversations"))["items"] == []
    alone = await post.try_to_send(GRACE)
    assert [each["field"] for each in alone.json()["errors"]] == ["to"]


async def test_force_sends_to_who_opted_out_and_is_audited(post: Post) -> None:
    await post.opt_out(GRACE)
    await post.send([ADA, GRACE], force=True)
    await post.deliver()
    assert sorted(post.provider.list_taken()) == [ADA, GRACE]
    [deed] = (await post.api.read("/audit"))["items"]
    assert (deed["actor"], deed["action"], deed["subject"]) == (
        "key:LETTERBOX_API_KEY",
        "outbound.create",
        "out_1",
    )
    assert deed["detail"] == {
        "to": f"{ADA}, {GRACE}",
        "source": SHOP,
        "count": 2,
        "forced": [GRACE],
    }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": None}, "to"),
        ({"list": "people"}, "to"),
        ({"to": []}, "to"),
        ({"to": 447700900011}, "to"),
        ({"to": [ADA, 5]}, "to"),
        ({"body": ""}, "body"),
        ({"body": "  "}, "body"),
        ({"body": "x" * 460}, "body"),
        ({"source": "A name too long"}, "source"),
        ({"source": "Cafe\u0301"}, "source"),
        ({"source": "Shop", "source_ton": 1}, "source"),
        ({"source_ton": 2}, "source_ton"),
        ({"validity_seconds": 0}, "validity_seconds"),
        ({"validity_seconds": 86401}, "validity_seconds"),
        ({"schedule_at": "2026-06-01T11:59:59Z"}, "schedule_at"),
        ({"schedule_at": "9999-06-01T12:00:00Z"}, "schedule_at"),
        ({"schedule_at": "tomorrow"}, "schedule_at"),
        ({"schedule_by": "provider"}, "schedule_by"),
        (
            {"schedule_at": "2026-10-25T01:30:00Z", "schedule_by": "provider"},
            "schedule_at",
        ),
        ({"in_reply_to": "msg_1"}, "in_reply_to"),
        ({"in_reply_to": "nonsense"}, "in_reply_to"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_is_off_is_named_and_nothing_is_queued(
    shared_lone_post: Post, fields: dict[str, Any], field: str
) -> None:
    answer = await shared_lone_post.try_to_send(**fields)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert await shared_lone_post.find() == []


async def test_459_characters_are_taken_and_what_may_surprise_is_said(lone_post: Post) -> None:
    plain = await lone_post.send(body="x" * 459, source="Shop")
    assert (plain["parts"], plain["estimated_credits"], plain["warnings"]) == (3, 3, [])
    odd = await lone_post.send(body="😀" * 110, source="Shop & Co")
    assert odd["parts"] == 4
    assert [each.split(" ")[:3] for each in odd["warnings"]] == [
        ["The", "text", "takes"],
        ["The", "source", "'Shop"],
    ]


async def test_a_text_that_looks_unpayable_or_must_wait_is_queued_with_a_warning(
    lone_post: Post,
) -> None:
    write = lone_post.api.runtime.database.write
    await write(note_credits, Decimal("2.5"), low_below=Decimal(0), now=NOW)
    assert (await lone_post.send([ADA, GRACE]))["warnings"] == []
    [warning] = (await lone_post.send([ADA, GRACE, ABROAD]))["warnings"]
    assert "2.5 credits" in warning
    await write(pause_sender, "key:x", "holidays", NOW)
    [warning] = (await lone_post.send(ADA))["warnings"]
    assert "holidays" in warning


async def test_without_an_account_nothing_is_queued(lone_api: Running) -> None:
    body = {"to": ADA, "source": SHOP, "body": "Hello"}
    answer = await lone_api.call("POST", "/outbound", json=body)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-provider")
    assert (await lone_api.read("/outbound"))["items"] == []


async def test_lists_and_groups_say_what_nobody_can_check(lone_post: Post) -> None:
    for field in ("list", "group"):
        answer = await lone_post.send(None, **{field: "people"})
        assert (answer["parts"], answer["estimated_credits"]) == (1, None)
        [warning] = answer["warnings"]
        assert f"numbers of a {field}" in warning
        assert "opt-outs" in warning


async def test_a_key_sends_only_with_the_scope_to_send(lone_post: Post) -> None:
    reader = (await lone_post.api.make_key("messages:read"))["key"]
    sender = (await lone_post.api.make_key("messages:send"))["key"]
    body = {"to": ADA, "source": SHOP, "body": "Hello"}
    call = lone_post.api.call
    for path, sent in (
        ("/outbound", body),
        ("/outbound/out_1/cancel", None),
        ("/outbound/out_1/resolve", {"outcome": "sent"}),
    ):
        assert (await call("POST", path, key=reader, json=sent)).status_code == 403
    assert (await call("POST", "/outbound", key=sender, json=body)).status_code == 202
    for path in ("/outbound", "/outbound/out_1", "/outbound/out_1/recipients"):
        assert (await call("GET", path, key=reader)).status_code == 200
        assert (await call("GET", path, key=sender)).status_code == 403
    cancelled = (await call("POST", "/outbound/out_1/cancel", key=sender)).json()
    assert (cancelled["status"], cancelled["body"]) == ("cancelled", "")
    again = (await call("POST", "/outbound/out_1/cancel")).json()
    assert again["body"] == "Hello"


async def test_calls_at_once_to_the_same_numbers_wait_for_each_other(post: Post) -> None:
    numbers = [f"447700900{number:03}" for number in range(20)]
    orders = [numbers if turn % 2 else numbers[::-1] for turn in range(6)]
    answers = await asyncio.gather(*(post.try_to_send(order) for order in orders))
    assert {answer.status_code for answer in answers} == {202}
    for order, answer in zip(orders, answers, strict=True):
        assert [each["to"] for each in answer.json()["items"]] == order
    assert len(await post.find(limit=500)) == 120
    listed = (await post.api.read("/conversations", params={"limit": 500}))["items"]
    assert sorted(each["source"] for each in listed) == numbers


async def test_a_conversation_that_somebody_holds_for_too_long_is_tried_again_later(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SESSION_SETTINGS, "lock_timeout", "50ms")
    async with open_post(postgres_url, tmp_path) as post:
        other = PostgresDatabase(postgres_url)
        async with AsyncEngine(other._engine).begin() as connection:
            await connection.run_sync(open_conversations, [(SHOP, ADA)], NOW)
            answer = await post.try_to_send([GRACE, ADA])
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
        await other.close()
        assert await post.find() == []
        await post.send([GRACE, ADA])
