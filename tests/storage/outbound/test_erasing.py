"""Takes an erased number out of texts and of the rows of batches, and counts what is left."""

from typing import Any

from sqlalchemy import insert, select, update

from app.domain.written_numbers import NumberForms
from app.storage.db.database import Connection
from app.storage.operations.erasures.redaction import Erasing
from app.storage.outbound.batches import add_batch, get_batch
from app.storage.outbound.erasing import erase_batch_row, erase_text
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
