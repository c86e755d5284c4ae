"""An automatic reply that could not go out in time leaves its message unanswered, and says so."""

from datetime import timedelta

import pytest

from app.storage.db.database import Database
from app.storage.outbound.cancellations import cancel_all
from app.storage.outbound.sending.expiry import expire_overdue
from tests.flows.desk import SENDER, SHOP, Desk, set_status
from tests.support.outbox import open_outbox

LATE = timedelta(seconds=901)


async def ask(database: Database) -> tuple[Desk, int]:
    desk = Desk(database)
    await desk.add_rule()
    [number] = await desk.receive("Hello", source=SENDER, dest=SHOP)
    await desk.handle()
    return desk, number


async def test_a_reply_that_somebody_cancels_was_one_all_the_same(database: Database) -> None:
    desk, number = await ask(database)
    assert await database.write(cancel_all, [1], "Anna", desk.now) == 1
    [message] = await desk.read([number])
    assert message.outcome_code == "replied"


@pytest.mark.parametrize("way", ["pause", "claim", "call"])
async def test_a_reply_that_expires_leaves_its_message_unanswered(
    database: Database, way: str
) -> None:
    desk, number = await ask(database)
    async with open_outbox(database) as outbox:
        outbox.pass_seconds((desk.now - outbox.now()).total_seconds())
        if way == "pause":
            assert await database.write(expire_overdue, desk.now + LATE) == 1
        elif way == "claim":
            outbox.pass_seconds(LATE.total_seconds())
            await outbox.send()
        else:
            outbox.pass_seconds(899)
            outbox.strike("code", taken=False, code=-511)
            await outbox.send()
        assert await outbox.status(1) == "expired"
    [message] = await desk.read([number])
    assert message.outcome_code == "expired"
    assert message.rule_id is not None


async def test_a_reply_that_went_out_answers_whatever_becomes_of_it(database: Database) -> None:
    desk, number = await ask(database)
    async with open_outbox(database, ending_shares={"Expired": 1.0}) as outbox:
        outbox.pass_seconds((desk.now - outbox.now()).total_seconds())
        await outbox.send()
        outbox.pass_seconds(86_500)
        await outbox.check()
        assert await outbox.status(1) == "expired"
    [message] = await desk.read([number])
    assert message.outcome_code == "replied"


@pytest.mark.parametrize("outcome", ["no-rule", "replied"])
async def test_a_persons_reply_that_expires_changes_no_outcome(
    database: Database, outcome: str
) -> None:
    desk = Desk(database)
    if outcome == "replied":
        await desk.add_rule()
    [number] = await desk.receive("Hello", source=SENDER, dest=SHOP)
    await desk.handle()
    if outcome == "replied":
        await database.write(set_status, 1, "sent")
    await desk.write_to(SENDER, in_reply_to=number, send_before=desk.now + LATE)
    assert await database.write(expire_overdue, desk.now + LATE) == 1
    [message] = await desk.read([number])
    assert message.outcome_code == outcome
