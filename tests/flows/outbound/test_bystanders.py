"""What happens to one text leaves every other as it is, whatever state that one is in."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from app.domain.outbound.states import OutboundStatus
from app.domain.outbound.transitions import OutboundEvent
from app.flows.outbound.cancel import cancel_text
from app.flows.outbound.sending.send import LEASE_SECONDS
from app.storage.db.database import Connection
from app.storage.outbound.sending.expiry import end_leases, expire_overdue
from app.storage.outbound.sending.resolving import resolve_by_hand
from app.storage.rules.answers import fail_reply
from app.storage.rules.opt_outs import add_opt_out
from app.storage.tables.outbound import outbound, provider_messages, send_attempts
from tests.support.outbox import ADA, Outbox, claim_due, run_dry

DAY = timedelta(days=1)


async def add_bystanders(outbox: Outbox) -> list[int]:
    """A text and a list in each status, due for nothing before tomorrow; every column is filled."""
    ids = []
    for turn, status in enumerate(OutboundStatus):
        for to in (f"4477009000{turn + 60}", None):
            ids.append(await outbox.queue(to, list_name=None if to else "others"))
            await outbox.database.write(_fill, ids[-1], status, outbox.now())
    return ids


def _fill(conn: Connection, number: int, status: OutboundStatus, now: Any) -> None:
    due = {"due_at": now + DAY, "send_before": now + DAY, "lease_until": now + DAY}
    times = dict.fromkeys(("absent_since", "sent_at", "settled_at"), now)
    words = {each: each for each in ("held_reason", "error_code", "error_text", "settled_reason")}
    values = {"attempts": 1, "background_ids": ["7"], "check_at": now + DAY, **due, **times}
    change = update(outbound).where(outbound.c.id == number)
    conn.execute(change.values(status=status, provider_status="Sent", **values, **words))
    call = {"outbound_id": number, "attempt": 1, "began_at": now, "ended_at": now}
    conn.execute(insert(send_attempts).values(**call, outcome="taken", answer="fine"))
    part = {"outbound_id": number, "provider_id": f"theirs{number}", "destination": "447700900099"}
    conn.execute(insert(provider_messages).values(**part, is_final=False, updated_at=now))


def _look_at(conn: Connection, ids: Sequence[int]) -> list[Any]:
    found = []
    for column in (outbound.c.id, provider_messages.c.outbound_id, send_attempts.c.outbound_id):
        query = select(column.table).where(column.in_(ids)).order_by(column)
        found += [tuple(row) for row in conn.execute(query)]
    return found


async def lose_its_sender(outbox: Outbox) -> int:
    number = await outbox.queue()
    await outbox.database.write(claim_due, lease_seconds=LEASE_SECONDS, now=outbox.now())
    outbox.pass_seconds(LEASE_SECONDS)
    assert await outbox.database.write(end_leases, outbox.now()) == 1
    return number


async def expire(outbox: Outbox) -> int:
    number = await outbox.queue(validity_seconds=60)
    outbox.pass_seconds(60)
    assert await outbox.database.write(expire_overdue, outbox.now()) == 1
    return number


async def cancel(outbox: Outbox) -> int:
    number = await outbox.queue()
    client = outbox.client
    await cancel_text(outbox.database, lambda: client, number, who="Anna", now=outbox.now())
    return number


async def opt_out(outbox: Outbox) -> int:
    number = await outbox.queue()

    def take_out(conn: Connection) -> None:
        add_opt_out(conn, ADA, reason="person", text="by phone", now=outbox.now())

    await outbox.database.write(take_out)
    return number


async def fail_before(outbox: Outbox) -> int:
    number = await outbox.queue()
    await outbox.database.write(fail_reply, number, "too long", outbox.now())
    return number


async def lose_the_answer(outbox: Outbox, *, taken: bool = False, **changes: Any) -> int:
    number = await outbox.queue(**changes)
    outbox.strike("reset", taken=taken)
    await outbox.send()
    outbox.pass_seconds(5)
    return number


async def adopt(outbox: Outbox) -> int:
    number = await lose_the_answer(outbox, taken=True)
    assert await outbox.settle() == 1
    return number


async def look_in_vain(outbox: Outbox) -> int:
    number = await lose_the_answer(outbox)
    assert await outbox.settle() == 0
    return number


async def look_without_a_report(outbox: Outbox) -> int:
    number = await lose_the_answer(outbox)
    outbox.strike("html", action="Report")
    assert await outbox.settle() == 0
    return number


async def hand_a_list_over(outbox: Outbox) -> int:
    number = await lose_the_answer(outbox, to=None, list_name="people")
    assert await outbox.settle() == 0
    assert await outbox.alerts() == ["uncertain"]
    return number


async def settle_by_hand(outbox: Outbox) -> int:
    number = await lose_the_answer(outbox)
    failed, now = OutboundEvent.FAILED_BY_HAND, outbox.now()
    await outbox.database.write(resolve_by_hand, number, failed, None, "Anna", now)
    return number


async def get_an_id_late(outbox: Outbox) -> int:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    change = update(outbound).where(outbound.c.id == number)
    sent = change.values(status="sent", settled_at=outbox.now(), settled_reason="no id")
    await outbox.database.write(lambda conn: conn.execute(sent))
    await run_dry(sender)
    assert (await outbox.row(number)).settled_at is None
    return number


async def send_to_a_list(outbox: Outbox) -> int:
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    return number


async def follow(outbox: Outbox) -> int:
    number = await outbox.queue()
    await outbox.send()
    outbox.pass_seconds(10)
    assert await outbox.check() == 1
    return number


@pytest.mark.parametrize(
    ("happen", "status"),
    [
        (lose_its_sender, "uncertain"),
        (expire, "expired"),
        (cancel, "cancelled"),
        (opt_out, "cancelled"),
        (fail_before, "failed"),
        (adopt, "sent"),
        (look_in_vain, "uncertain"),
        (look_without_a_report, "uncertain"),
        (hand_a_list_over, "uncertain"),
        (settle_by_hand, "failed"),
        (get_an_id_late, "sent"),
        (send_to_a_list, "sent"),
        (follow, "delivered"),
    ],
)
async def test_what_happens_to_a_text_changes_no_other(
    outbox: Outbox, happen: Callable[[Outbox], Awaitable[int]], status: str
) -> None:
    others = await add_bystanders(outbox)
    before = await outbox.database.read(_look_at, others)
    number = await happen(outbox)
    assert await outbox.status(number) == status
    assert await outbox.database.read(_look_at, others) == before
