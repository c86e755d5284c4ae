"""Batches: rows are stored, approved and made into texts some at a time, and none is lost."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.outbound.batch_rows import MOST_ROWS, make_rows
from app.domain.outbound.requests import OutboundRequest
from app.flows.outbound.batches.read_recipients import read_recipients
from app.flows.outbound.batches.send_batch import (
    advance_batches,
    cancel_batch,
    read_batch,
    send_batch,
)
from app.flows.outbound.batches.stage_batch import RowSource, stage_batch
from app.storage.db.database import Database
from app.storage.operations.idempotency import IdempotencyKey
from app.storage.outbound.batch_rows import forget_old_rows, list_rows
from app.storage.outbound.batches import change_batch, list_batches
from app.storage.outbound.sending import claims
from app.storage.outbound.sending.due import choose_calls
from app.storage.rules.opt_outs import note_refused_numbers
from app.storage.tables.outbound import outbound
from tests.support.outbox import ADA, GRACE, LONDON, OURS, Outbox, claim_due, open_outbox

WANTED = OutboundRequest(OURS, "Hello {name|there}")
CROWD = [f"447700900{each:03}" for each in range(20, 270)]


@pytest.fixture
async def outbox(database: Database) -> AsyncIterator[Outbox]:
    """One whose provider takes every number."""
    async with open_outbox(database, magic_numbers=False) as opened:
        yield opened


async def iterate(items: Sequence[Any]) -> AsyncIterator[Any]:
    for each in items:
        yield each


async def stage(
    outbox: Outbox,
    rows: Sequence[dict[str, str]],
    idempotency_key: IdempotencyKey | None = None,
    **changes: Any,
) -> int:
    columns, made = make_rows(rows)
    return await stage_batch(
        outbox.database,
        replace(WANTED, **changes),
        RowSource(columns, iterate(made)),
        idempotency_key,
        who="key:test",
        region="GB",
        zone=LONDON,
        now=outbox.now(),
    )


async def stage_file(outbox: Outbox, data: bytes, **changes: Any) -> int:
    found = await read_recipients(iterate([data]), "GB")
    return await stage_batch(
        outbox.database,
        replace(WANTED, **changes),
        RowSource(found.columns, found.rows, "people.csv"),
        who="key:test",
        region="GB",
        zone=LONDON,
        now=outbox.now(),
    )


async def approve(
    outbox: Outbox, batch_id: int, *, leave_out: bool = False, force: bool = False
) -> None:
    await send_batch(
        outbox.database,
        batch_id,
        leave_out=leave_out,
        force=force,
        who="session:Ada",
        now=outbox.now(),
    )


async def advance(outbox: Outbox) -> None:
    while await advance_batches(outbox.database, outbox.now()):
        pass


async def count(outbox: Outbox, batch_id: int) -> dict[str, int]:
    return (await outbox.database.read(read_batch, batch_id)).counts


async def find_faults(outbox: Outbox, batch_id: int) -> list[tuple[int, str]]:
    rows = await outbox.database.read(list_rows, batch_id, after=0, limit=500, shown="bad")
    return [(row.line, row.fault_text or "") for row in rows]


def name_rows(numbers: Sequence[str]) -> list[dict[str, str]]:
    return [{"number": number, "name": f"No {place}"} for place, number in enumerate(numbers)]


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


async def test_bad_rows_are_named_and_left_out_by_choice(outbox: Outbox) -> None:
    rows = [
        {"number": "07700 900011", "name": "Ada"},
        {"number": "nobody", "name": "Bob"},
        {"number": "4.47701E+11", "name": "Cy"},
        {"number": "", "name": "Dee"},
        {"number": "+44 7700 900011", "name": "Ada again"},
        {"number": GRACE, "name": " "},
        {"number": "447700900013", "name": "x" * 460},
    ]
    batch_id = await stage(outbox, rows, body="Dear {name}, welcome")
    faults = dict(await find_faults(outbox, batch_id))
    assert faults[2] == "not a full phone number"
    assert "shortened" in faults[3]
    assert faults[4] == "there is no number"
    assert faults[5] == "the same number is in row 1"
    assert faults[6] == "no value for {name}"
    assert "473 characters" not in faults[7]
    assert "at most 459" in faults[7]
    with pytest.raises(InvalidInput, match="6 rows cannot be sent"):
        await approve(outbox, batch_id)
    await approve(outbox, batch_id, leave_out=True)
    await advance(outbox)
    await outbox.send()
    assert outbox.taken() == [(ADA, "Dear Ada, welcome")]


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


async def test_only_the_drafts_of_one_person_are_listed(outbox: Outbox) -> None:
    draft = await stage(outbox, name_rows([ADA]))
    sent = await stage(outbox, name_rows([GRACE]))
    await approve(outbox, sent)
    page = await outbox.database.read(list_batches, before=None, limit=9)
    assert [each.id for each in page.batches] == [sent]
    page = await outbox.database.read(list_batches, before=None, limit=9, drafts_of="key:test")
    assert {each.id for each in page.batches} == {draft, sent}


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Number,Name\r\n07700 900011,Zoë\r\n", "utf-8-sig"),
        ("Phone number;Name\n07700 900011;Zoë\n", "cp1252"),
        ("name\tmobile\nZoë\t+447700900011\n", "utf-16"),
        ("name\tmobile\nZoë\t+447700900011\n", "utf-16-be"),
        ('\n\nname,tel\n\n,\nZoë,="447700900011"\n', "utf-8"),
        ('sep=;\nname;number\n"Zoë";447700900011\n', "utf-8"),
        ("name,number\rZoë,447700900011\r", "mac-roman"),
        ("number,name\n447700900011.00,Zoë", "utf-8"),
    ],
)
async def test_files_are_read_as_spreadsheets_save_them(
    outbox: Outbox, data: str, encoding: str
) -> None:
    batch_id = await stage_file(outbox, data.encode(encoding))
    assert await find_faults(outbox, batch_id) == []
    await approve(outbox, batch_id)
    await advance(outbox)
    await outbox.send()
    [(number, body)] = outbox.taken()
    assert number == ADA
    # No file says that it is in the alphabet of old Macs.
    assert body == "Hello Zoë" or encoding == "mac-roman"


async def test_rows_are_counted_as_the_spreadsheet_counts_them(outbox: Outbox) -> None:
    data = b'number,name\n\n447700900011,"two\nlines"\n,,\nnobody,Bob\n'
    batch_id = await stage_file(outbox, data)
    assert await find_faults(outbox, batch_id) == [(5, "not a full phone number")]


async def test_a_file_without_headings_begins_with_a_number(outbox: Outbox) -> None:
    batch_id = await stage_file(outbox, b"Ada,07700900011\nGrace,07700900012\n", body="Hi {1}")
    await approve(outbox, batch_id)
    await advance(outbox)
    await outbox.send()
    assert sorted(outbox.taken()) == [(ADA, "Hi Ada"), (GRACE, "Hi Grace")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"number,name\n", "no rows"),
        (b"who,what\nAda,b\n", "no column is called"),
        (b'number,name\n447700900011,"Ada\n', "row 2 cannot be read"),
        (b"PK\x03\x04 and so on", "spreadsheet's own file"),
        (b"number\n" + b"447700900011\n" * (MOST_ROWS + 1), "at most 10,000 rows"),
        (b"number," + b"x," * 120 + b"\n", "more than 100 columns"),
    ],
)
async def test_files_that_make_no_batch_are_refused_in_words(
    outbox: Outbox, data: bytes, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        await stage_file(outbox, data, body="Hello")
    assert await outbox.fetch("SELECT * FROM batches") == []


@pytest.mark.parametrize("body", ["Hello {nmae}", "Hello {name", " ", "x" * 460])
async def test_a_text_that_no_row_can_fill_is_refused(outbox: Outbox, body: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await stage(outbox, name_rows([ADA]), body=body)
    assert refused.value.field == "body"


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
