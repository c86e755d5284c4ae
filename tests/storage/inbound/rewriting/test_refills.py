"""What an older release wrote is brought up to date step by step, to the last row."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from app.domain.inbound.messages import make_provider_key
from app.domain.rules.opt_outs import OptOutState
from app.storage.db.database import Connection, Database
from app.storage.inbound.rewriting import refills as storage
from app.storage.inbound.rewriting.refills import (
    Name,
    Step,
    correct_opt_outs,
    find_misread,
    find_position,
    find_unfolded,
    index_provider_ids,
    move_position,
    note_moved,
    refold,
)
from app.storage.rules.opt_outs import OptOutChange, add_opt_out_changes
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import message_index
from app.storage.tables.operations import refills
from app.storage.tables.rules import opt_outs
from tests.conftest import NOW
from tests.flows.desk import Desk

ODD = "It can\u2019t be"


@pytest.fixture
def desk(database: Database, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Whose steps look at two rows and change two."""
    monkeypatch.setattr(storage, "LOOKED_AT", 2)
    monkeypatch.setattr(storage, "CHANGED", 2)
    return Desk(database)


async def begin(desk: Desk, name: Name, position: int) -> None:
    row = insert(refills).values(name=name, position=position)
    await desk.database.write(Connection.execute, row)


async def walk(desk: Desk, find: Callable[[Connection], Step | None]) -> list[Step]:
    """All steps of a walk that only looks."""
    steps = []

    def take(conn: Connection) -> Step | None:
        step = find(conn)
        if step is not None:
            refold(conn, step)
        return step

    while step := await desk.database.write(take):
        steps.append(step)
        assert len(steps) < 10
    return steps


async def test_messages_are_indexed_anew_from_the_newest_to_the_oldest(desk: Desk) -> None:
    ids = await desk.receive(ODD, "plain", ODD, ODD, "plain")
    await desk.receive(ODD)
    await desk.handle()
    await begin(desk, "folding", ids[-1])
    steps = await walk(desk, find_unfolded)
    assert [(each.position, each.rest, each.ids) for each in steps] == [
        (5, 3, [4]),
        (3, 1, [3]),
        (1, 0, [1]),
    ]


async def test_a_step_changes_so_many_and_looks_at_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LOOKED_AT", 9)
    ids = await desk.receive(*[ODD] * 5)
    await desk.handle()
    await begin(desk, "folding", ids[-1])
    steps = await walk(desk, find_unfolded)
    assert [each.ids for each in steps] == [[5, 4], [3, 2], [1]]
    assert [each.rest for each in steps] == [3, 1, 0]


async def test_a_step_that_another_process_has_taken_is_not_taken_again(desk: Desk) -> None:
    await begin(desk, "folding", 5)
    await begin(desk, "opt-outs", 5)
    move = [await desk.database.write(move_position, "folding", 5, 3) for _ in range(2)]
    assert move == [True, False]
    names: tuple[Name, ...] = ("folding", "opt-outs")
    assert [await desk.database.read(find_position, each) for each in names] == [3, 5]
    assert [await desk.database.write(move_position, "folding", at, 0) for at in (5, 3)] == [
        False,
        True,
    ]
    assert [await desk.database.read(find_position, each) for each in names] == [None, 5]


async def test_all_older_messages_are_indexed_by_the_providers_id(desk: Desk) -> None:
    for number in range(1, 7):
        provider_id = None if number == 2 else f"id {number}"
        await desk.receive("Hello", provider_id=provider_id)
    await desk.handle()
    await desk.database.write(Connection.execute, update(message_index).values(provider_key=None))
    # The last has come since, and is not looked at.
    await begin(desk, "provider-ids", 5)
    steps = 0
    while await desk.database.write(index_provider_ids):
        steps += 1
        assert steps < 10
    query = select(message_index.c.provider_key).order_by(message_index.c.message_id)
    keys = await desk.database.read(lambda conn: [*conn.execute(query).scalars()])
    wanted = [f"id {number}" for number in (1, 3, 4, 5)]
    assert [keys[0], *keys[2:5]] == [make_provider_key(each) for each in wanted]
    assert (keys[1], keys[5]) == (None, None)
    assert steps == 3


def read(number: str) -> str:
    """Numbers that begin with 0 were misread."""
    return f"44{number[1:]}" if number.startswith("0") else number


async def test_every_conversation_is_looked_at_and_left_when_it_cannot_move(desk: Desk) -> None:
    sources = ["07700900011", "447700900012", "447700900013", "07700900014", "447700900015"]
    for source in sources:
        await desk.receive(*["Hello"] * 3, source=source)
        await desk.handle()

    async def look() -> Step | None:
        step = await desk.database.read(find_misread, read)
        assert step is None or step.position == await desk.database.read(find_position, "numbers")
        return step

    await begin(desk, "numbers", 5)
    step = await look()
    assert step == Step(5, 3, [10, 11])
    # Both have moved, so there may be more.
    moved = update(message_index).where(message_index.c.message_id.in_([10, 11]))
    await desk.database.write(Connection.execute, moved.values(conversation_id=5))
    await desk.database.write(note_moved, step)
    step = await look()
    assert step == Step(4, 3, [12])
    await desk.database.write(note_moved, step)
    assert await look() == Step(3, 1, [])
    await desk.database.write(note_moved, Step(3, 1, []))
    step = await look()
    assert step == Step(1, 0, [1, 2])
    # These stay where they are.
    await desk.database.write(note_moved, step)
    assert await look() is None
    query = select(conversations.c.source).order_by(conversations.c.id)
    assert await desk.database.read(lambda conn: [*conn.execute(query).scalars()]) == sources


async def test_every_opt_out_is_corrected_and_what_waits_for_it_is_cancelled(desk: Desk) -> None:
    numbers = [f"0770090001{place}" for place in range(5)]
    states = [True, True, False, True, True]
    changes = [
        OptOutChange(number, "STOP", OptOutState(is_out, "keyword", NOW - timedelta(hours=1), 1))
        for number, is_out in zip(numbers, states, strict=True)
    ]
    await desk.database.write(add_opt_out_changes, changes)
    waiting = [await desk.write_to(read(each)) for each in numbers]
    ids = await desk.database.read(lambda conn: [*conn.execute(select(opt_outs.c.id)).scalars()])
    await begin(desk, "opt-outs", max(ids))
    steps = []
    while (step := await desk.database.write(correct_opt_outs, read)) is not None:
        steps.append(step)
        assert len(steps) < 10
    cancelled = [each for each, is_out in zip(waiting, states, strict=True) if is_out]
    assert sorted(each for step in steps for each in step) == cancelled
    assert len(steps) == 3
    query = select(opt_outs.c.number, opt_outs.c.is_out)
    rows = await desk.database.read(lambda conn: conn.execute(query).all())
    assert sorted(tuple(each) for each in rows) == [
        (read(number), is_out) for number, is_out in zip(numbers, states, strict=True)
    ]
