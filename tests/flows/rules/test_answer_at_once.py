"""Handling answers once where texts arrive together, or several workers handle them."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from app.domain.rules.answering import DEFAULT_LIMITS, ReplyLimits
from app.flows.inbound.handle import Handled, handle_batch
from app.storage.conversations.conversation_lists import list_conversations
from app.storage.db.database import open_database
from app.storage.db.migrate import migrate
from app.storage.inbound.handling import claim_unhandled
from app.storage.operations.stats import count_days
from tests.conftest import NOW
from tests.flows.desk import Desk
from tests.support.storage.overlap import overlap


@pytest.mark.parametrize("together", [True, False])
async def test_a_late_forward_of_a_reported_text_counts_and_answers_once(
    shop: Desk, together: bool
) -> None:
    ids = await shop.receive("Hi", via="report", provider_id="R1")
    if not together:
        await shop.handle()
    ids += await shop.receive("Hi", provider_id="77", received_at=NOW + timedelta(seconds=1))
    await shop.handle()
    report, forward = await shop.read(ids)
    assert (report.outcome_code, forward.outcome_code) == ("replied", None)
    assert (report.duplicate_of, forward.duplicate_of) == (None, report.id)
    assert len(await shop.list_outbound()) == 1
    [conversation] = (
        await shop.database.read(list_conversations, before=None, limit=5)
    ).conversations
    assert conversation.unread == 1
    [day] = await shop.database.read(count_days, since=None, until=None, number=None)
    assert day.counts["received"] == 1
    # Another one like it is another text.
    assert await shop.hear("Hi", provider_id="78") == ["replied"]


async def test_a_forward_that_was_handled_before_its_report_is_still_one_text(
    shop: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await shop.receive("Hi", via="report", provider_id="R1")
    ids += await shop.receive("Hi", provider_id="77")

    def claim_the_forward(conn: Connection, **options: Any) -> Any:
        return [each for each in claim_unhandled(conn, **options) if each.via != "report"]

    with monkeypatch.context() as patch:
        patch.setattr("app.flows.inbound.handle.claim_unhandled", claim_the_forward)
        await shop.handle()
    await shop.handle()
    report, forward = await shop.read(ids)
    assert (report.outcome_code, forward.outcome_code) == (None, "replied")
    assert forward.duplicate_of == report.id
    assert len(await shop.list_outbound()) == 1
    [day] = await shop.database.read(count_days, since=None, until=None, number=None)
    assert day.counts["received"] == 1


async def test_a_machine_that_answers_every_answer_falls_silent(shop: Desk) -> None:
    replied = []
    for _ in range(6):
        outcomes = await shop.hear(*["I am away."] * 6)
        replied.append(outcomes.count("replied"))
        shop.wait(hours=1)
    assert replied == [5, 5, 5, 5, 0, 0]
    shop.wait(days=1)
    assert await shop.hear("I am away.") == ["replied"]


async def test_several_workers_at_once_keep_every_pairs_budget(shop: Desk) -> None:
    senders = [f"4477009002{number:02}" for number in range(20)]
    for sender in senders:
        await shop.receive(*"abcd", source=sender)
    limits = ReplyLimits(per_hour=1)
    while any(
        await asyncio.gather(
            *(shop.database.write(handle_batch, NOW, limit=13, limits=limits) for _ in range(3))
        )
    ):
        pass
    assert sorted(row.to_number for row in await shop.list_outbound()) == senders


async def test_a_second_worker_waits_until_the_first_has_counted(postgres_url: str) -> None:
    """Two connections, two texts of one pair, a budget of one: both would find room for theirs."""
    database = open_database(postgres_url, Path())
    await migrate(database)
    desk = Desk(database)
    await desk.add_rule()
    ids = await desk.receive("one", "two")
    limits = ReplyLimits(per_hour=1)

    def handle_one(conn: Connection) -> Handled | None:
        return handle_batch(conn, NOW, limit=1, limits=limits)

    assert (await overlap(database, handle_one, handle_one)).outcomes == {"budget": 1}
    assert [message.outcome_code for message in await desk.read(ids)] == ["replied", "budget"]
    await database.close()


async def test_texts_that_arrive_together_get_one_answer_whoever_handles_them(shop: Desk) -> None:
    senders = [f"4477009002{number:02}" for number in range(20)]
    for sender in senders:
        await shop.receive(*"abc", source=sender)
    while any(
        await asyncio.gather(*(shop.database.write(handle_batch, NOW, limit=7) for _ in range(3)))
    ):
        pass
    assert sorted(row.to_number for row in await shop.list_outbound()) == senders


async def test_quiet_lasts_over_batches_and_by_arrival(shop: Desk) -> None:
    await shop.receive("one")
    await shop.handle(limits=DEFAULT_LIMITS)
    late = await shop.receive("before", arrived_at=NOW - timedelta(seconds=9))
    later = await shop.receive("long before", arrived_at=NOW - timedelta(seconds=10))
    shop.wait(minutes=5)
    await shop.handle(limits=DEFAULT_LIMITS)
    outcomes = [message.outcome_code for message in await shop.read([*late, *later])]
    assert outcomes == ["quiet", "replied"]
    [quiet] = await shop.read(late)
    assert quiet.rule_id is not None
