"""What the workers' rounds look for every second: work that is due, and nothing else."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.outbound.states import OutboundStatus
from app.storage.db.clock import read_clock
from app.storage.outbound.sending.backlog import Chores, find_chores, find_oldest_due
from app.storage.tables.outbound import outbound
from tests.support.outbox import GRACE, Outbox

HOUR = timedelta(hours=1)
NOTHING = {"leases": False, "overdue": False, "checks": False, "proofs": False}
# Which column says when which chore is due, by status.
DUE = {
    "queued": ("send_before", "overdue"),
    "held": ("send_before", "overdue"),
    "sending": ("lease_until", "leases"),
    "sent": ("check_at", "checks"),
    "uncertain": ("check_at", "proofs"),
}


async def change(outbox: Outbox, number: int, **values: Any) -> None:
    change = update(outbound).where(outbound.c.id == number).values(**values)
    await outbox.database.write(lambda conn: conn.execute(change))


async def look(outbox: Outbox, now: datetime) -> dict[str, bool]:
    found: Chores = await outbox.database.read(find_chores, now)
    return {name: getattr(found, name) for name in NOTHING}


@pytest.mark.parametrize("status", OutboundStatus)
async def test_a_text_is_a_chore_from_the_moment_at_which_it_is_due(
    outbox: Outbox, status: OutboundStatus
) -> None:
    clock = await outbox.database.read(read_clock)
    number = await outbox.queue()
    later = dict.fromkeys(("send_before", "lease_until", "check_at"), clock + HOUR)
    await change(outbox, number, status=status, **later)
    column, chore = DUE.get(status, ("check_at", None))
    is_lease = chore == "leases"  # which ends by the database's clock, whatever the caller's says
    before = clock + (2 * HOUR if is_lease else HOUR - timedelta(seconds=1))
    assert await look(outbox, before) == NOTHING
    await change(outbox, number, **{column: clock if is_lease else clock + HOUR})
    at = clock + (-HOUR if is_lease else HOUR)
    assert await look(outbox, at) == NOTHING | ({chore: True} if chore else {})


async def test_the_longest_waiting_text_is_one_that_could_have_gone_out(outbox: Outbox) -> None:
    now = outbox.now()
    for minutes, values in (
        (9, {"status": "uncertain"}),
        (8, {}),  # it waits for the one before it
        (7, {"status": "sent"}),
    ):
        await change(
            outbox, await outbox.queue(), due_at=now - timedelta(minutes=minutes), **values
        )
    assert await outbox.database.read(find_oldest_due, now) is None
    for minutes, priority in ((3, 1), (5, 2), (4, 0)):
        number = await outbox.queue(f"44770090005{minutes}")
        due_at = now - timedelta(minutes=minutes)
        await change(outbox, number, due_at=due_at, priority=priority)
    await change(outbox, await outbox.queue(GRACE), due_at=now + timedelta(seconds=1))
    assert await outbox.database.read(find_oldest_due, now) == now - timedelta(minutes=5)
