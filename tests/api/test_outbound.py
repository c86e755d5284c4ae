"""/outbound: what is queued, refused and warned of; and what a program then sees of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.flows.metrics import Metrics
from app.flows.send import Sender, SendPolicy
from app.flows.sync import Checker
from app.storage.opt_outs import add_opt_out
from app.storage.outbound_tables import audit
from app.storage.sender import note_credits, pause_sender
from tests.api.running import Running, running
from tests.conftest import NOW
from tests.support.simulated import ADA, GRACE, LONDON, Simulated, simulated_in_process

SHOP = "447700900100"
ABROAD = "12015550123"


@dataclass
class Post:
    """The application, with the provider behind it and senders run by hand."""

    api: Running
    provider: Simulated

    async def send(self, to: Any = ADA, *, key: str | None = None, **fields: Any) -> Any:
        """What POST /outbound answers to a text that is queued."""
        answer = await self.try_to_send(to, key=key, **fields)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def try_to_send(
        self, to: Any = ADA, *, key: str | None = None, **fields: Any
    ) -> httpx2.Response:
        body = {"source": SHOP, "body": "Hello", **({"to": to} if to is not None else {}), **fields}
        headers = {"Idempotency-Key": key} if key else {}
        return await self.api.call("POST", "/outbound", json=body, headers=headers)

    async def find(self, **params: Any) -> list[str]:
        return [each["id"] for each in (await self.api.read("/outbound", params=params))["items"]]

    async def deliver(self) -> None:
        """Send all that is due to the provider."""
        runtime = self.api.runtime
        sender = Sender(
            runtime.database,
            self.provider.client,
            SendPolicy(per_second=1000, concurrency=8, zone=LONDON),
            Metrics(),
            on_change=runtime.announce_texts,
            draw=lambda: 1.0,
            now=self.api.clock,
            seconds=lambda: 0.0,
        )
        await sender.run_dry()

    async def check(self) -> None:
        """Ask the provider what became of it all."""
        runtime = self.api.runtime
        checker = Checker(
            runtime.database,
            self.provider.client,
            LONDON,
            Metrics(),
            on_change=runtime.announce_texts,
            now=self.api.clock,
        )
        await checker.check_due()

    async def list_deeds(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What the audit holds: who did what, and its details."""
        query = select(audit.c.actor, audit.c.action, audit.c.detail).order_by(audit.c.id)
        read = self.api.runtime.database.read
        return await read(lambda conn: [tuple(row) for row in conn.execute(query)])

    def wait(self, **time: float) -> None:
        self.api.clock.now += timedelta(**time)
        self.provider.stopwatch.seconds += timedelta(**time).total_seconds()

    async def opt_out(self, number: str) -> None:
        await self.api.runtime.database.write(
            add_opt_out, number, reason="person", text="by phone", now=NOW
        )


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    async with (
        simulated_in_process() as provider,
        running(database_url, tmp_path, provider=provider.client) as api,
    ):
        yield Post(api, provider)


@pytest.fixture
async def lone_post(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    """On SQLite, for what does not depend on the database."""
    async with (
        simulated_in_process() as provider,
        running(sqlite_url, tmp_path, provider=provider.client) as api,
    ):
        yield Post(api, provider)


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
                "attempts": 0,
                "schedule_at": None,
                "send_before": None,
                "created_at": "2026-06-01T12:00:00.000000Z",
                "sent_at": None,
                "settled_at": None,
            }
        ],
        "parts": 1,
        "estimated_credits": 1,
        "warnings": [],
    }
    assert (await post.api.read("/outbound"))["items"] == answer["items"]


async def test_a_text_is_followed_from_the_call_to_its_delivery(post: Post) -> None:
    [queued] = (await post.send(ADA))["items"]
    await post.deliver()
    sent = await post.api.read(f"/outbound/{queued['id']}")
    assert (sent["status"], sent["attempts"], len(sent["provider_ids"])) == ("sent", 1, 1)
    [call] = sent["calls"]
    assert (call["fate"], call["code"]) == ("certainly taken", None)
    post.wait(minutes=5)
    await post.check()
    done = await post.api.read(f"/outbound/{queued['id']}")
    assert (done["status"], done["provider_status"]) == ("delivered", "Delivered")
    steps = [(each["status"], each["told_by"]) for each in done["history"]]
    assert steps == [("queued", "key:LETTERBOX_API_KEY"), ("sent", "send"), ("delivered", "check")]
    assert post.provider.list_taken() == [ADA]


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
        {"field": "to", "detail": "send to 1 to 100 numbers at once"}
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
    assert await post.list_deeds() == [
        (
            "key:LETTERBOX_API_KEY",
            "outbound.create",
            {"source": SHOP, "count": 2, "ids": [1, 2], "forced": [GRACE]},
        )
    ]


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
    lone_post: Post, fields: dict[str, Any], field: str
) -> None:
    answer = await lone_post.try_to_send(**fields)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert await lone_post.find() == []


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
