"""Cancelling a batch."""

from typing import Any

import pytest
from sqlalchemy import text

from app.domain.errors import Conflict
from app.flows.outbound.batches.send_batch import (
    advance_batches,
    cancel_batch,
)
from app.storage.outbound.batches import change_batch
from tests.flows.outbound.batches.staging import CROWD, advance, approve, count, name_rows, stage
from tests.support.outbox import ADA, GRACE, Outbox


async def test_all_that_waits_is_cancelled_by_one_action(outbox: Outbox) -> None:
    batch_id = await stage(outbox, name_rows(CROWD))
    await approve(outbox, batch_id)
    await advance_batches(outbox.database, outbox.now())
    cancelled = await cancel_batch(outbox.database, batch_id, who="session:Ada", now=outbox.now())
    assert cancelled == 250
    await advance(outbox)
    assert await count(outbox, batch_id) == {"cancelled": 250}
    assert await outbox.send() == 0
    again = await cancel_batch(outbox.database, batch_id, who="session:Ada", now=outbox.now())
    assert again == 0
    with pytest.raises(Conflict):
        await approve(outbox, batch_id)
    first = (await outbox.fetch("SELECT min(id) FROM outbound"))[0][0]
    assert (await outbox.history(first))[-1][:2] == ("cancelled", "session:Ada")


async def test_a_cancellation_that_was_cut_off_is_finished_by_another_process(
    outbox: Outbox,
) -> None:
    ids = await outbox.queue_many(CROWD[:90])
    batch_id = (await outbox.row(ids[0])).batch_id
    await outbox.database.write(_begin_cancelling, batch_id)
    await advance(outbox)
    assert await count(outbox, batch_id) == {"cancelled": 90}


def _begin_cancelling(conn: Any, batch_id: int) -> None:
    change_batch(conn, batch_id, state="cancelling", cancelled_by="session:Ada")


async def test_what_was_in_flight_when_its_batch_was_cancelled_is_not_tried_again(
    outbox: Outbox,
) -> None:
    [number, _] = await outbox.queue_many([ADA, GRACE])
    batch_id = (await outbox.row(number)).batch_id
    sending = "UPDATE outbound SET status = 'sending'"
    await outbox.database.write(_execute, sending)
    assert await cancel_batch(outbox.database, batch_id, who="key:x", now=outbox.now()) == 0
    await outbox.database.write(_execute, "UPDATE batches SET state = 'cancelling'")
    await advance(outbox)
    await outbox.database.write(_execute, "UPDATE outbound SET status = 'queued'")
    await advance(outbox)
    assert await count(outbox, batch_id) == {"cancelled": 2}


def _execute(conn: Any, sql: str) -> None:
    conn.execute(text(sql))
