"""Batches: rows are stored, approved and made into texts some at a time, and none is lost."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.errors import InvalidInput, NotFound
from app.domain.outbound.batch_rows import make_rows
from app.flows.outbound.batches.send_batch import (
    advance_batches,
    read_batch,
)
from app.flows.outbound.batches.stage_batch import RowSource, stage_batch
from app.storage.operations.idempotency import IdempotencyKey
from app.storage.outbound.batch_rows import forget_old_rows
from app.storage.outbound.batches import list_batches
from app.storage.outbound.sending import claims
from app.storage.outbound.sending.due import choose_calls
from app.storage.rules.opt_outs import note_refused_numbers
from app.storage.tables.outbound import outbound
from tests.flows.outbound.batches.staging import (
    CROWD,
    WANTED,
    advance,
    approve,
    count,
    name_rows,
    stage,
)
from tests.support.outbox import ADA, GRACE, LONDON, Outbox, claim_due


async def test_nothing_goes_out_before_somebody_approves(outbox: Outbox) -> None:
    batch_id = await stage(outbox, name_rows(CROWD))
    await advance(outbox)
    assert await outbox.send() == 0
    await approve(outbox, batch_id)
    assert await count(outbox, batch_id) == {"queued": 250}
    await advance(outbox)
    assert await outbox.send(per_second=10_000) > 0
    assert await count(outbox, batch_id) == {"sent": 250}
    assert min(outbox.taken()) == (CROWD[0], "Hello No 0")
    batch = (await outbox.database.read(read_batch, batch_id)).batch
    assert (batch.state, batch.queued, batch.created_by) == ("done", 250, "session:Ada")


async def test_texts_that_are_alike_share_calls_and_others_go_singly(outbox: Outbox) -> None:
    rows = [{"number": number, "name": ""} for number in CROWD[:60]]
    await approve(outbox, await stage(outbox, [*rows, {"number": ADA, "name": "Ada"}]))
    await advance(outbox)
    await outbox.send()
    assert sorted(map(len, outbox.sends())) == [1, 60]


async def test_each_step_is_short_and_another_process_goes_on_with_the_next(
    outbox: Outbox,
) -> None:
    batch_id = await stage(outbox, name_rows(CROWD))
    await approve(outbox, batch_id)
    assert await advance_batches(outbox.database, outbox.now()) == 100
    made = await outbox.fetch("SELECT batch_place FROM outbound ORDER BY id")
    assert [row[0] for row in made] == list(range(1, 101))
    # Whoever made these has died; what it had not committed is made once by the next.
    await advance(outbox)
    made = await outbox.fetch("SELECT to_number, batch_place FROM outbound ORDER BY id")
    assert [tuple(row) for row in made] == [(each, n) for n, each in enumerate(CROWD, 1)]
    linked = await outbox.fetch(
        "SELECT count(*) FROM batch_rows JOIN outbound ON outbound.id = outbound_id"
        " WHERE number = to_number"
    )
    assert linked[0][0] == 250


async def test_a_batch_whose_loading_ended_in_the_middle_is_never_sent_and_removed(
    outbox: Outbox,
) -> None:
    async def break_off() -> AsyncIterator[Any]:
        for row in rows[:150]:
            yield row
        raise InvalidInput("the file ends in the middle")

    columns, rows = make_rows(name_rows(CROWD))
    with pytest.raises(InvalidInput, match="ends in the middle"):
        await stage_batch(
            outbox.database,
            WANTED,
            RowSource(columns, break_off()),
            who="key:test",
            region="GB",
            zone=LONDON,
            now=outbox.now(),
        )
    assert await outbox.fetch("SELECT * FROM batch_rows") == []
    assert await outbox.fetch("SELECT * FROM batches") == []


async def test_a_draft_that_nobody_sends_goes_after_a_day_and_the_rows_of_others_after_a_month(
    outbox: Outbox,
) -> None:
    async def tidy(days: int) -> None:
        now = outbox.now() + timedelta(days=days)
        while await outbox.database.write(forget_old_rows, now, limit=100):
            pass

    draft = await stage(outbox, name_rows(CROWD))
    sent = await stage(outbox, name_rows(CROWD[:3]))
    await approve(outbox, sent)
    await advance(outbox)
    await tidy(2)
    with pytest.raises(NotFound):
        await outbox.database.read(read_batch, draft)
    assert len(await outbox.fetch("SELECT * FROM batch_rows")) == 3
    await tidy(31)
    assert await outbox.fetch("SELECT * FROM batch_rows") == []
    assert await count(outbox, sent) == {"queued": 3}


async def test_opt_outs_are_checked_when_rows_are_stored_and_again_when_they_are_sent(
    outbox: Outbox,
) -> None:
    await outbox.database.write(note_refused_numbers, {ADA: "no"}, outbox.now())
    batch_id = await stage(outbox, name_rows([ADA, GRACE, CROWD[0]]))
    batch = (await outbox.database.read(read_batch, batch_id)).batch
    assert (batch.opted_out, batch.wanted, batch.parts, batch.credits) == (1, 2, 2, 2)
    await approve(outbox, batch_id)
    await advance(outbox)
    await outbox.database.write(note_refused_numbers, {GRACE: "no"}, outbox.now())
    await outbox.send()
    assert outbox.taken() == [(CROWD[0], "Hello No 2")]
    assert await count(outbox, batch_id) == {"sent": 1, "cancelled": 1}


async def test_who_asked_for_it_gets_it_although_they_opted_out(outbox: Outbox) -> None:
    await outbox.database.write(note_refused_numbers, {ADA: "no"}, outbox.now())
    batch_id = await stage(outbox, name_rows([ADA]))
    with pytest.raises(InvalidInput, match="nobody"):
        await approve(outbox, batch_id)
    await approve(outbox, batch_id, force=True)
    batch = (await outbox.database.read(read_batch, batch_id)).batch
    assert (batch.parts, batch.credits) == (1, 1)
    await advance(outbox)
    await outbox.send()
    assert outbox.taken() == [(ADA, "Hello No 0")]


async def test_the_same_request_stages_once(outbox: Outbox) -> None:
    idempotency_key = IdempotencyKey("key:test", "a key", b"digest")
    first = await stage(outbox, name_rows([ADA]), idempotency_key)
    assert await stage(outbox, name_rows([ADA]), idempotency_key) == first
    assert len(await outbox.fetch("SELECT * FROM batches")) == 1


async def test_a_batch_that_is_approved_twice_goes_once(outbox: Outbox) -> None:
    batch_id = await stage(outbox, name_rows([ADA]))
    await approve(outbox, batch_id)
    await advance(outbox)
    await approve(outbox, batch_id)
    await advance(outbox)
    await outbox.send()
    assert len(outbox.taken()) == 1
    entries = await outbox.fetch("SELECT action FROM audit")
    assert [row[0] for row in entries] == ["batch.send"]


async def test_only_the_drafts_of_one_person_are_listed(outbox: Outbox) -> None:
    draft = await stage(outbox, name_rows([ADA]))
    sent = await stage(outbox, name_rows([GRACE]))
    await approve(outbox, sent)
    page = await outbox.database.read(list_batches, before=None, limit=9)
    assert [each.id for each in page.batches] == [sent]
    page = await outbox.database.read(list_batches, before=None, limit=9, drafts_of="key:test")
    assert {each.id for each in page.batches} == {draft, sent}


async def test_texts_that_are_changed_once_they_were_chosen_go_as_they_are_then(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await outbox.queue_many(CROWD[:4])
    later = outbox.now() + timedelta(hours=1)

    def choose_and_be_overtaken(conn: Any, *given: Any, **named: Any) -> Any:
        chosen = choose_calls(conn, *given, **named)
        # What another connection commits between the choice and the claim.
        table = outbound.c
        conn.execute(update(outbound).where(table.id == ids[1]).values(body="Changed"))
        conn.execute(update(outbound).where(table.id == ids[2]).values(due_at=later))
        return chosen

    monkeypatch.setattr(claims, "choose_calls", choose_and_be_overtaken)
    claim = await outbox.database.write(claim_due, now=outbox.now())
    assert sorted([text.id for text in call] for call in claim.calls) == [
        [ids[0], ids[3]],
        [ids[1]],
    ]
