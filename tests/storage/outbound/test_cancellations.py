"""What can still be cancelled of a text that the provider keeps, and what its end is then."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.errors import Conflict
from app.storage.db.database import Connection
from app.storage.outbound.cancellations import (
    Scheduled,
    cancel_all,
    cancel_waiting,
    note_cancelled,
)
from app.storage.tables.outbound import outbound
from tests.support.outbox import GRACE, Outbox


async def keep(outbox: Outbox, status: str, **values: Any) -> int:
    """A long text that the provider took and keeps for later."""
    later = outbox.now() + timedelta(hours=1)
    number = await outbox.queue(body="x" * 400, schedule_at=later, schedule_by="provider")
    await outbox.send()
    change = update(outbound).where(outbound.c.id == number).values(status=status, **values)
    await outbox.database.write(Connection.execute, change)
    return number


async def test_what_the_provider_keeps_is_to_be_cancelled_part_by_part(outbox: Outbox) -> None:
    number = await keep(outbox, "sent")
    found = await outbox.database.write(cancel_waiting, number, "Anna", outbox.now())
    assert found == Scheduled(tuple(await outbox.ids(number)))
    assert await outbox.status(number) == "sent"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("sending", "being sent at this moment"),
        ("uncertain", "resolve it first"),
        ("delivered", "delivered already"),
    ],
)
async def test_what_may_have_gone_out_meanwhile_is_not_cancelled(
    outbox: Outbox, status: str, said: str
) -> None:
    number = await keep(outbox, status)
    with pytest.raises(Conflict, match=said):
        await outbox.database.write(cancel_waiting, number, "Anna", outbox.now())
    assert await outbox.status(number) == status


@pytest.mark.parametrize(
    ("status", "ended"), [("sent", "cancelled"), ("delivered", "delivered"), ("failed", "failed")]
)
async def test_a_status_that_became_final_meanwhile_stays(
    outbox: Outbox, status: str, ended: str
) -> None:
    number = await keep(outbox, status)
    before = len(await outbox.history(number))
    await outbox.database.write(note_cancelled, number, "Anna", outbox.now())
    assert await outbox.status(number) == ended
    is_new = status != ended
    assert (await outbox.history(number))[before:] == [("cancelled", "Anna", None)] * is_new


async def test_a_text_says_that_its_batch_was_cancelled(outbox: Outbox) -> None:
    number = await outbox.queue(GRACE)
    assert await outbox.database.write(cancel_all, [number], "Anna", outbox.now()) == 1
    row = await outbox.row(number)
    assert (row.status, row.settled_reason) == ("cancelled", "the batch was cancelled")
    assert await outbox.history(number) == [("cancelled", "Anna", None)]
    assert await outbox.database.write(cancel_waiting, number, "Anna", outbox.now()) is False
