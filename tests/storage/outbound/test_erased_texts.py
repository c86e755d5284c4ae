"""What an erasure leaves of texts: nothing of the number, and everything else as it was."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, delete, select, update

from app.domain.ids import LAST_ID
from app.storage.db.database import Connection
from app.storage.operations.alerts import list_open_subjects
from app.storage.outbound import erasing
from app.storage.outbound.erasing import cancel_erased, count_stray_entries, erase_text
from app.storage.outbound.removal import remove_texts
from app.storage.outbound.sending.resolving import ask_person
from app.storage.outbound.sending.result_events import UNCERTAIN_ALERT
from app.storage.outbound.text_search import OUTBOUND_INDEX, index_texts
from app.storage.tables.outbound import outbound, provider_messages, send_attempts, status_changes
from tests.storage.outbound.test_erasing import ERASING, FORMS
from tests.support.outbox import ADA, GRACE, Outbox


def list_indexed(conn: Connection, word: str) -> list[Any]:
    """The texts whose entry in the search index may have the word."""
    query = OUTBOUND_INDEX.select_candidates(
        conn.dialect.name, [word], top=LAST_ID, bottom=0, count=9
    )
    return sorted(number for [number] in conn.execute(query))


def list_owners(conn: Connection, table: Table) -> list[int]:
    """The texts that have rows there."""
    query = select(table.c.outbound_id).distinct().order_by(table.c.outbound_id)
    return list(conn.execute(query).scalars())


async def change(outbox: Outbox, number: int, **values: Any) -> None:
    changed = update(outbound).where(outbound.c.id == number).values(values)
    await outbox.database.write(Connection.execute, changed)


async def test_a_text_that_speaks_of_the_number_is_found_by_its_other_words_only(
    outbox: Outbox,
) -> None:
    read, write = outbox.database.read, outbox.database.write
    known = await outbox.queue(GRACE, body=f"Ask {ADA}", reference=f"for {ADA}")
    plain = await outbox.queue(GRACE, body=f"Ask {ADA} too", reference="for Grace")
    [before] = await outbox.fetch(f"SELECT reference_key FROM outbound WHERE id = {plain}")
    await write(index_texts)
    assert await read(list_indexed, ADA) == [known, plain]
    for number in (known, plain):
        assert await write(erase_text, (number,), ERASING) == "changed"
    assert await read(list_indexed, ADA) == []
    assert await read(list_indexed, "ask") == [known, plain]
    assert await read(list_indexed, "too") == [plain]
    query = select(outbound.c.reference, outbound.c.reference_key).order_by(outbound.c.id)
    rows = await read(lambda conn: conn.execute(query).all())
    assert [tuple(each) for each in rows] == [
        ("for [erased]", None),
        ("for Grace", before.reference_key),
    ]


async def test_a_text_that_speaks_of_the_number_is_cancelled_if_it_waits(outbox: Outbox) -> None:
    number = await outbox.queue(GRACE, body=f"Ask {ADA}")
    await outbox.database.write(erase_text, (number,), ERASING)
    row = await outbox.row(number)
    assert (row.status, row.settled_reason) == ("cancelled", erasing.REASON)
    assert (await outbox.history(number))[-1][0] == "cancelled"
    assert await outbox.send() == 0


async def test_all_that_waits_for_the_number_is_cancelled_whatever_ended_before(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "CANCELLED", 1)
    over, first, held, other = [
        await outbox.queue(to, body=str(place)) for place, to in enumerate((ADA, ADA, ADA, GRACE))
    ]
    await change(outbox, over, status="failed", settled_at=outbox.now())
    await change(outbox, held, status="held")
    counts = [await outbox.database.write(cancel_erased, ADA, outbox.now()) for _ in range(3)]
    assert counts == [1, 1, 0]
    statuses = await outbox.statuses([over, first, held, other])
    assert statuses == ["failed", "cancelled", "cancelled", "queued"]


async def test_a_removed_text_leaves_nothing_and_takes_nothing_of_others(outbox: Outbox) -> None:
    read, write = outbox.database.read, outbox.database.write
    theirs, other = await outbox.queue(body="One"), await outbox.queue(GRACE, body="Two")
    await outbox.send()
    await write(index_texts)
    for number in (theirs, other):
        await change(outbox, number, status="uncertain")
        await write(ask_person, number, outbox.now())
    assert await write(erase_text, (theirs,), ERASING) == "removed"
    assert await read(list_open_subjects, UNCERTAIN_ALERT) == {str(other)}
    for table in (provider_messages, send_attempts, status_changes):
        assert await read(list_owners, table) == [other]
    assert [await read(list_indexed, word) for word in ("one", "two")] == [[], [other]]
    assert (await outbox.row(other)).settled_at is None


async def test_a_text_that_may_still_change_is_not_removed(outbox: Outbox) -> None:
    over, waiting = await outbox.queue(), await outbox.queue(GRACE)
    await change(outbox, over, settled_at=outbox.now() - timedelta(days=99))
    await outbox.database.write(remove_texts, [over, waiting])
    assert [row.id for row in await outbox.fetch("SELECT id FROM outbound")] == [waiting]


async def test_an_entry_of_the_search_index_without_a_text_is_counted(outbox: Outbox) -> None:
    lost, _ = [await outbox.queue(GRACE, body=f"Ask {ADA} {place}") for place in range(2)]
    await outbox.database.write(index_texts)
    assert await outbox.database.read(count_stray_entries, FORMS) == 0
    await outbox.database.write(Connection.execute, delete(outbound).where(outbound.c.id == lost))
    # On PostgreSQL no entry outlives its vacuum, so none is looked for.
    is_kept = outbox.database.dialect == "sqlite"
    assert await outbox.database.read(count_stray_entries, FORMS) == int(is_kept)
