"""Takes an erased number out of texts and of the rows of batches, and counts what is left."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select, update

from app.domain.written_numbers import NumberForms
from app.storage.db.database import Connection
from app.storage.operations.erasures.redaction import Erasing
from app.storage.operations.erasures.tombstones import find_buried_ids
from app.storage.outbound.batches import add_batch, get_batch
from app.storage.outbound.erasing import erase_batch_row, erase_text, list_kept_there
from app.storage.tables.batches import batch_rows
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.support.outbox import ADA, GRACE, Outbox

FORMS = NumberForms(ADA, "44", is_ours=True)
ERASING = Erasing(FORMS, NOW)


async def test_a_text_that_is_being_sent_stays_as_long_as_that_lasts(outbox: Outbox) -> None:
    to_them, of_them = await outbox.queue(), await outbox.queue(GRACE, body=f"Ask {ADA}")

    async def erase(number: int, status: str) -> object:
        change = update(outbound).where(outbound.c.id == number).values(status=status)
        await outbox.database.write(Connection.execute, change)
        return await outbox.database.write(erase_text, (number,), ERASING)

    for number in (to_them, of_them):
        assert await erase(number, "sending") is None
    assert await erase(of_them, "uncertain") == "changed"
    assert await erase(to_them, "uncertain") == "removed"
    assert await outbox.fetch("SELECT body FROM outbound") == [("Ask [erased]",)]
    assert await outbox.database.write(erase_text, (to_them,), ERASING) is None


async def test_what_the_provider_keeps_for_the_number_is_found_to_be_cancelled(
    outbox: Outbox,
) -> None:
    later = outbox.now() + timedelta(hours=1)
    kept: dict[str, Any] = {"schedule_at": later, "schedule_by": "provider"}
    texts = [await outbox.queue(source=f"44770090000{each}", **kept) for each in range(5)]
    await outbox.queue(GRACE, **kept)
    await outbox.send()
    for number, values in (
        (texts[1], {"settled_at": later}),
        (texts[2], {"schedule_at": outbox.now()}),
        (texts[3], {"status": "cancelled"}),
        (texts[4], {"schedule_by": "letterbox"}),
    ):
        change = update(outbound).where(outbound.c.id == number).values(values)
        await outbox.database.write(Connection.execute, change)
    assert await outbox.database.read(list_kept_there, ADA, outbox.now()) == texts[:1]


async def test_only_the_ids_of_what_was_erased_are_known_as_erased(outbox: Outbox) -> None:
    outbox.database.digest_key.key = b"a key of this test"
    theirs, other = await outbox.queue(), await outbox.queue(GRACE)
    await outbox.send()
    [[gone], [left]] = [await outbox.ids(each) for each in (theirs, other)]
    assert await outbox.database.write(erase_text, (theirs,), ERASING) == "removed"
    assert await outbox.database.read(find_buried_ids, [gone, left]) == {gone}


async def test_a_row_that_names_the_number_counts_as_bad_once(outbox: Outbox) -> None:
    theirs, named = {"number": ADA, "cells": [ADA]}, {"number": GRACE, "cells": [f"ask {ADA}"]}
    rows: list[dict[str, Any]] = [
        theirs | {"parts": 2},
        theirs | {"fault": "blank"},
        theirs | {"is_opted_out": True},
        named | {"parts": 3},
        named | {"fault": "blank"},
        named | {"outbound_id": 7},
        {"number": GRACE, "cells": ["nobody"]},
    ]
    plain = {"parts": 1, "is_opted_out": False, "fault": None, "outbound_id": None}
    counts = {"total": 7, "bad": 2, "opted_out": 1, "parts": 7}

    def add(conn: Connection) -> int:
        batch_id = add_batch(conn, "Anna", NOW, {"state": "queueing", "columns": ["x"], **counts})
        for place, row in enumerate(rows, 1):
            given = {"batch_id": batch_id, "place": place, "line": place, **plain, **row}
            conn.execute(insert(batch_rows), given)
        return batch_id

    batch_id = await outbox.database.write(add)
    for place in range(1, len(rows)):
        await outbox.database.write(erase_batch_row, (batch_id, place), ERASING)
    batch = await outbox.database.read(get_batch, batch_id)
    assert (batch.bad, batch.opted_out, batch.parts, batch.wanted) == (5, 0, 2, 2)
    query = select(batch_rows.c.fault, batch_rows.c.number).order_by(batch_rows.c.place)
    found = await outbox.database.read(lambda conn: conn.execute(query).all())
    assert [tuple(each) for each in found] == [
        *[("number", None)] * 3,
        ("number", GRACE),
        ("blank", GRACE),
        (None, GRACE),
        (None, GRACE),
    ]


async def test_who_opted_out_gets_no_text_of_a_batch_unless_they_asked_for_it(
    outbox: Outbox,
) -> None:
    counts = {"columns": ["x"], "total": 9, "bad": 1, "opted_out": 2}
    found = []
    for forced in (False, True):
        values = counts | {"forced": forced}
        batch_id = await outbox.database.write(add_batch, "Anna", NOW, values)
        batch = await outbox.database.read(get_batch, batch_id)
        found.append((batch.wanted, batch.left_out))
    assert found == [(6, 3), (8, 1)]
