"""Which texts are due, in which order, and which of them go out together."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.outbound.states import Priority
from app.domain.rules.opt_outs import OptOutState
from app.storage.db.database import Connection
from app.storage.outbound.sending import due
from app.storage.outbound.sending.due import choose_calls, find_next, list_due
from app.storage.rules.opt_outs import OptOutChange, add_opt_out_changes
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.support.outbox import ADA, GRACE, Outbox

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
TINY = timedelta(microseconds=1)
PEOPLE = [f"447700900{place:03}" for place in range(20, 30)]


async def add(outbox: Outbox, to: str, **values: Any) -> int:
    number = await outbox.queue(to)
    if values:
        change = update(outbound).where(outbound.c.id == number).values(values)
        await outbox.database.write(Connection.execute, change)
    return number


async def find_due(outbox: Outbox) -> list[Any]:
    found, _ = await outbox.database.read(partial(list_due, calls=9, numbers=9), NOW)
    return list(found)


async def choose(outbox: Outbox, **limits: int) -> tuple[list[list[int]], bool]:
    def work(conn: Connection) -> tuple[list[list[int]], bool]:
        found, _ = list_due(conn, NOW, calls=9, numbers=9)
        return choose_calls(conn, found, NOW, **{"calls": 9, "allowed": 9, "most": 9, **limits})

    return await outbox.database.write(work)


async def test_the_most_urgent_goes_first_and_a_batch_that_waited_an_hour_as_single_texts(
    outbox: Outbox,
) -> None:
    cases = [
        (Priority.MASS, NOW - HOUR + TINY, 6),
        (Priority.MASS, NOW, 8),
        (Priority.SINGLE, NOW - SECOND, 4),
        (Priority.MASS, NOW - HOUR, 3),
        (Priority.ANSWER, NOW, 1),
        (Priority.SINGLE, NOW, 5),
        (Priority.MASS, NOW - SECOND, 7),
        (Priority.SINGLE, NOW - 2 * HOUR, 2),
    ]
    ids = {
        place: await add(outbox, to, priority=priority, due_at=at)
        for to, (priority, at, place) in zip(PEOPLE, cases, strict=False)
    }
    assert [row.id for row in await find_due(outbox)] == [ids[place] for place in sorted(ids)]


async def test_only_what_waits_and_is_due_is_looked_at(outbox: Outbox) -> None:
    now = [await add(outbox, ADA, due_at=NOW), await add(outbox, GRACE, status="held", due_at=NOW)]
    await add(outbox, PEOPLE[0], due_at=NOW + TINY)
    for place, status in enumerate(("sent", "cancelled", "uncertain", "sending"), 1):
        await add(outbox, PEOPLE[place], status=status)
    assert [row.id for row in await find_due(outbox)] == now


async def test_who_opted_out_is_told_by_their_own_number(outbox: Outbox) -> None:
    for number, is_out in ((ADA, True), (GRACE, False)):
        said = OptOutChange(number, "STOP", OptOutState(is_out, "keyword", NOW, 1))
        await outbox.database.write(add_opt_out_changes, [said])
    for number in (PEOPLE[0], ADA, GRACE):
        await add(outbox, number)
    assert [bool(row.is_opted_out) for row in await find_due(outbox)] == [False, True, False]


async def test_a_text_waits_for_the_one_of_its_pair_that_is_in_flight(outbox: Outbox) -> None:
    for number, status in ((ADA, "sending"), (GRACE, "uncertain"), (PEOPLE[0], "sent")):
        await add(outbox, number, status=status)
        await add(outbox, number)
    blocked = [row.blocked_by for row in await find_due(outbox)]
    assert blocked == ["sending", "uncertain", None]
    assert await choose(outbox) == ([[6]], False)


async def test_the_next_text_is_the_soonest_of_those_that_come_later(outbox: Outbox) -> None:
    async def find(now: datetime = NOW) -> float | None:
        return await outbox.database.read(find_next, now)

    assert await find() is None
    later = {Priority.ANSWER: 9, Priority.SINGLE: 5, Priority.MASS: 7}
    for place, (priority, seconds) in enumerate(later.items()):
        for more in (3, 0):
            at = NOW + (seconds + more) * SECOND
            await add(outbox, PEOPLE[place], priority=priority, due_at=at)
    await add(outbox, ADA, due_at=NOW)
    await add(outbox, GRACE, status="sent", due_at=NOW + SECOND)
    assert await find() == 5
    assert await find(NOW + 5 * SECOND) == 2
    assert await find(NOW + 12 * SECOND) is None


async def test_a_call_begins_while_the_pace_allows_one_more_and_then_takes_what_it_can(
    outbox: Outbox,
) -> None:
    ids = await outbox.queue_many(PEOPLE[:7])
    assert await choose(outbox, allowed=3, most=2) == ([ids[:2], ids[2:4]], False)
    assert await choose(outbox, allowed=9, most=3) == ([ids[:3], ids[3:6], ids[6:]], False)
    assert await choose(outbox, calls=1, most=3) == ([ids[:3]], False)
    assert await choose(outbox, allowed=0) == ([], False)


async def test_a_text_that_must_wait_for_a_call_holds_up_no_call_that_has_begun(
    outbox: Outbox,
) -> None:
    first, last = await outbox.queue_many(PEOPLE[:2])
    single = await add(outbox, ADA, priority=Priority.MASS, due_at=NOW - SECOND)
    change = update(outbound).where(outbound.c.id == first).values(due_at=NOW - 2 * SECOND)
    await outbox.database.write(Connection.execute, change)
    assert [row.id for row in await find_due(outbox)] == [first, single, last]
    assert await choose(outbox, calls=1) == ([[first, last]], False)


@pytest.mark.parametrize(
    ("window", "is_crowded", "waits"), [(2, True, [2 * SECOND, 30 * SECOND]), (4, False, [])]
)
async def test_what_waits_for_others_steps_back_if_it_is_most_of_what_is_due(
    outbox: Outbox,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    is_crowded: bool,
    waits: list[timedelta],
) -> None:
    monkeypatch.setattr(due, "WINDOW", window)
    blocked = []
    for number, status in ((ADA, "sending"), (GRACE, "uncertain")):
        await add(outbox, number, status=status)
        blocked.append(await add(outbox, number))
    assert (await choose(outbox))[1] is is_crowded
    query = outbound.select().where(outbound.c.id.in_(blocked)).order_by(outbound.c.id)
    rows = await outbox.database.read(lambda conn: conn.execute(query).all())
    assert [row.due_at - NOW for row in rows if row.due_at > NOW] == waits
