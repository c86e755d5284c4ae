"""Batches and their rows: what is shown of them, what still waits, and what goes with which."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from app.storage.db.database import Connection
from app.storage.outbound.batch_rows import Shown, list_rows, remove_rows
from app.storage.outbound.batches import (
    add_batch,
    count_texts,
    get_batch,
    get_batches,
    has_texts_in_flight,
    list_batches,
    list_open_batches,
    list_waiting,
)
from app.storage.outbound.erasing import erase_batch_row, erase_in_batch
from app.storage.tables.batches import batch_rows
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.storage.outbound.test_erasing import ERASING
from tests.support.outbox import ADA, GRACE, Outbox

STATES = ("loading", "draft", "queueing", "done", "cancelling", "cancelled")


async def add(outbox: Outbox, state: str = "queueing", who: str = "Anna", **values: Any) -> int:
    return await outbox.database.write(add_batch, who, NOW, {"state": state, **values})


async def add_rows(outbox: Outbox, batch_id: int, *rows: dict[str, Any]) -> None:
    plain: dict[str, Any] = {
        "parts": 1,
        "is_opted_out": False,
        "fault": None,
        "outbound_id": None,
        "cells": [],
    }

    def work(conn: Connection) -> None:
        for place, row in enumerate(rows, 1):
            given = {"batch_id": batch_id, "place": place, "line": place, **plain, **row}
            conn.execute(insert(batch_rows), given)

    await outbox.database.write(work)


async def queue_text(outbox: Outbox, batch_id: int | None, **values: Any) -> int:
    number = await outbox.queue(GRACE)
    change = update(outbound).where(outbound.c.id == number)
    await outbox.database.write(Connection.execute, change.values(batch_id=batch_id, **values))
    return number


async def test_a_draft_is_listed_for_whoever_wrote_it_and_for_nobody_else(outbox: Outbox) -> None:
    ids = {
        (who, state): await add(outbox, state, who) for who in ("Ada", "Eve") for state in STATES
    }
    approved = {number for (_, state), number in ids.items() if state not in ("loading", "draft")}

    async def read(drafts_of: str | None) -> set[int]:
        page = partial(list_batches, before=None, limit=50, drafts_of=drafts_of)
        return {each.id for each in (await outbox.database.read(page)).batches}

    assert await read("Ada") == approved | {ids["Ada", "draft"]}
    assert await read(None) == approved
    assert await outbox.database.read(list_open_batches) == [
        number for (_, state), number in ids.items() if state in ("queueing", "cancelling")
    ]


async def test_batches_are_found_by_their_ids(outbox: Outbox) -> None:
    _, second, _ = [await add(outbox) for _ in range(3)]
    assert list(await outbox.database.read(get_batches, [second, 99])) == [second]
    assert await outbox.database.read(get_batches, []) == {}


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        ("draft", {"sent": 1}),
        ("queueing", {"sent": 1, "queued": 3}),
        ("cancelled", {"sent": 1, "cancelled": 3}),
    ],
)
async def test_texts_that_are_not_made_yet_count_once_the_batch_is_approved(
    outbox: Outbox, state: str, counts: dict[str, int]
) -> None:
    batch_id, other = await add(outbox, state, total=4, queued=1), await add(outbox, total=1)
    for each in (batch_id, other, None):
        await queue_text(outbox, each, status="sent")
    batch = await outbox.database.read(get_batch, batch_id)
    # It has only numbers, so each of its rows becomes a text.
    assert batch.wanted == 4
    assert await outbox.database.read(count_texts, [batch]) == {batch_id: counts}


async def test_what_waits_of_a_batch_is_found_beside_what_has_ended(outbox: Outbox) -> None:
    batch_id, other = await add(outbox), await add(outbox)
    times = [NOW.replace(hour=hour) for hour in (1, 4, 3, 2, 3)]
    statuses = ("sent", "queued", "held", "queued", "queued")
    _, last, second, first, third = [
        await queue_text(outbox, batch_id, status=status, due_at=at)
        for status, at in zip(statuses, times, strict=True)
    ]
    await queue_text(outbox, other)

    async def read(limit: int) -> list[int]:
        return await outbox.database.read(partial(list_waiting, limit=limit), batch_id)

    # Whoever cancels a batch asks for one: it must not be one that has ended.
    assert await read(1) == [first]
    assert await read(9) == [first, second, third, last]


async def test_a_batch_has_texts_in_flight_only_of_its_own(outbox: Outbox) -> None:
    ids = [await add(outbox) for _ in range(3)]
    for batch_id, status in zip(ids, ("sending", "sent", "queued"), strict=True):
        await queue_text(outbox, batch_id, status=status)
    found = [await outbox.database.read(has_texts_in_flight, each) for each in ids]
    assert found == [True, False, False]


@pytest.mark.parametrize(
    ("shown", "places"),
    [
        ("all", [[1, 2], [3, 4], [5, 6]]),
        ("bad", [[2, 5], [], []]),
        ("opted-out", [[3, 6], [], []]),
        ("good", [[1, 4], [], []]),
        ("left-out", [[2, 3], [5], []]),
    ],
)
async def test_rows_are_listed_page_by_page_by_what_was_found_of_them(
    outbox: Outbox, shown: Shown, places: list[list[int]]
) -> None:
    batch_id, other = await add(outbox), await add(outbox)
    bad, out, made = {"fault": "number"}, {"is_opted_out": True}, {"outbound_id": 7}
    # The last was sent to nevertheless, and the first is not a text yet.
    await add_rows(outbox, batch_id, {}, bad, out, made, bad | out, out | made)
    await add_rows(outbox, other, bad, out, {}, {})
    found, after = [], 0
    for _ in places:
        page = partial(list_rows, after=after, limit=2, shown=shown)
        rows = [each.place for each in await outbox.database.read(page, batch_id)]
        found.append(rows)
        after = rows[-1] if rows else 6
    assert found == places


async def test_a_draft_goes_with_its_rows_and_other_drafts_stay(outbox: Outbox) -> None:
    first, second = await add(outbox, "draft"), await add(outbox, "draft")
    for each in (first, second):
        await add_rows(outbox, each, {}, {}, {})
    remove = partial(remove_rows, limit=2)
    assert [await outbox.database.write(remove, first) for _ in range(2)] == [2, 1]
    assert list(await outbox.database.read(get_batches, [first, second])) == [second]
    assert len(await outbox.database.read(partial(list_rows, after=0, limit=9), second)) == 3


@pytest.mark.parametrize(
    ("state", "body", "ended"),
    [
        ("queueing", f"Ask {ADA}", ("cancelling", "erasure")),
        ("queueing", "Hello", ("queueing", None)),
        ("done", f"Ask {ADA}", ("done", None)),
    ],
)
async def test_no_more_texts_are_made_of_one_that_names_the_number(
    outbox: Outbox, state: str, body: str, ended: tuple[str, str | None]
) -> None:
    batch_id = await add(outbox, state, body=body, name=f"For {ADA}")
    assert await outbox.database.write(erase_in_batch, (batch_id,), ERASING) == "changed"
    batch = await outbox.database.read(get_batch, batch_id)
    assert (batch.state, batch.cancelled_by) == ended
    assert (batch.name, batch.body) == ("For [erased]", body.replace(ADA, "[erased]"))


async def test_an_erased_row_is_empty_and_only_its_open_batch_is_counted_anew(
    outbox: Outbox,
) -> None:
    counts: dict[str, Any] = {"total": 2, "bad": 0, "opted_out": 2, "parts": 2}
    ids = [await add(outbox, state, **counts) for state in ("queueing", "done", "draft")]
    theirs = {"number": ADA, "cells": ["Ada", ADA], "is_opted_out": True}
    named = {"number": GRACE, "cells": [f"ask {ADA}"], "is_opted_out": True}
    for each in ids[:2]:
        await add_rows(outbox, each, theirs, named)
        for place in (1, 2):
            key = (each, place)
            assert await outbox.database.write(erase_batch_row, key, ERASING) == "changed"
    batches = await outbox.database.read(get_batches, ids)
    assert [(batches[each].bad, batches[each].opted_out) for each in ids] == [
        (2, 0),
        (0, 2),
        (0, 2),
    ]
    table = batch_rows.c
    query = select(table.cells, table.fault_text, table.is_opted_out)
    rows = await outbox.database.read(
        lambda conn: conn.execute(query.order_by(table.batch_id, table.place)).all()
    )
    assert [tuple(each) for each in rows] == 2 * [
        (["", ""], "the number was erased", False),
        (["ask [erased]"], "a number in it was erased", False),
    ]
