"""Imports of contacts that go on step by step, on both databases, with a simulated provider."""

from datetime import timedelta
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from app.domain.errors import Conflict, InvalidInput, NotFound
from app.flows.conversations.import_in_steps import (
    LEASE,
    STEP_LINES,
    claim_import,
    run_import,
    start_import,
)
from app.storage.conversations.contact_imports import KEPT, ContactImport, get_import
from tests.support.outbox import Outbox

WHO = "session:ada"


async def start(outbox: Outbox, text: str) -> int:
    started = await start_import(
        outbox.database,
        text.encode(),
        None,
        ignore_duplicates=False,
        overwrite_duplicates=False,
        region="GB",
        who=WHO,
        now=outbox.now(),
    )
    assert started.is_new
    return started.id


async def run(outbox: Outbox, import_id: int) -> ContactImport:
    claimed = await claim_import(outbox.database, import_id, now=outbox.now())
    await run_import(outbox.database, outbox.client, claimed, now=outbox.now)
    return await outbox.database.read(get_import, import_id)


def write_lines(count: int) -> str:
    return "".join(f"Person {index},4477009000{20 + index}\n" for index in range(count))


async def test_an_import_takes_several_steps_and_answers_for_each_line(outbox: Outbox) -> None:
    import_id = await start(outbox, write_lines(STEP_LINES) + "\nNobody,mine\nAda,447700900011\n")
    done = await run(outbox, import_id)
    assert len(outbox.world.books.of("demo").contacts) == STEP_LINES + 1
    assert done.finished_at == outbox.now()
    assert (done.total, len(done.results), done.waiting) == (STEP_LINES + 2, STEP_LINES + 2, ())
    assert done.results[-2] == (STEP_LINES + 2, "Failed", "Invalid number (mine)")
    assert done.results[-1] == (STEP_LINES + 3, "Success", "")


async def test_an_import_that_stops_goes_on_where_it_stopped(outbox: Outbox) -> None:
    import_id = await start(outbox, write_lines(STEP_LINES + 1))
    outbox.world.switches = outbox.world.switches.changed({"maintenance": True})
    stopped = await run(outbox, import_id)
    assert (stopped.results, stopped.finished_at) == ((), None)
    assert "maintenance" in (stopped.error or "")
    outbox.world.switches = outbox.world.switches.changed({"maintenance": False})
    done = await run(outbox, import_id)
    assert (len(done.results), done.error) == (STEP_LINES + 1, None)


async def test_two_do_not_work_at_one_import(outbox: Outbox) -> None:
    import_id = await start(outbox, write_lines(1))
    await claim_import(outbox.database, import_id, now=outbox.now())
    with pytest.raises(Conflict):
        await claim_import(outbox.database, import_id, now=outbox.now())
    outbox.pass_seconds(LEASE.total_seconds())
    assert (await run(outbox, import_id)).finished_at is not None
    with pytest.raises(Conflict):
        await claim_import(outbox.database, import_id, now=outbox.now())


async def test_who_lost_an_import_writes_nothing_over_what_the_next_one_found(
    outbox: Outbox,
) -> None:
    import_id = await start(outbox, write_lines(STEP_LINES + 1))
    slow = await claim_import(outbox.database, import_id, now=outbox.now())
    outbox.pass_seconds(LEASE.total_seconds())
    done = await run(outbox, import_id)
    await run_import(outbox.database, outbox.client, slow, now=outbox.now)
    assert await outbox.database.read(get_import, import_id) == done
    assert len(done.results) == STEP_LINES + 1


async def test_who_lost_an_import_stops_nobody(outbox: Outbox) -> None:
    import_id = await start(outbox, write_lines(STEP_LINES + 1))
    slow = await claim_import(outbox.database, import_id, now=outbox.now())
    outbox.pass_seconds(LEASE.total_seconds())
    claimed = await claim_import(outbox.database, import_id, now=outbox.now())
    outbox.world.switches = outbox.world.switches.changed({"maintenance": True})
    await run_import(outbox.database, outbox.client, slow, now=outbox.now)
    assert await outbox.database.read(get_import, import_id) == claimed


async def test_an_import_that_fails_in_an_unforeseen_way_tells_so(outbox: Outbox) -> None:
    import_id = await start(outbox, write_lines(1))
    claimed = await claim_import(outbox.database, import_id, now=outbox.now())

    def broken() -> NoReturn:
        raise RuntimeError

    with capture_logs():
        await run_import(outbox.database, outbox.client, claimed, now=broken)
    stopped = await outbox.database.read(get_import, import_id)
    assert stopped.error == "an unexpected error (RuntimeError)"
    assert not stopped.is_running(outbox.now())


async def test_a_csv_without_a_contact_is_refused(outbox: Outbox) -> None:
    with pytest.raises(InvalidInput):
        await start(outbox, "\n")


async def test_imports_are_forgotten_after_a_while(outbox: Outbox) -> None:
    old = await start(outbox, write_lines(1))
    outbox.pass_seconds((KEPT + timedelta(seconds=1)).total_seconds())
    await start(outbox, write_lines(1))
    with pytest.raises(NotFound):
        await outbox.database.read(get_import, old)


async def test_numbers_of_a_file_are_read_as_at_every_other_door(outbox: Outbox) -> None:
    lines = "Ada,+44 (0)7700 900011\nGrace,\u202a07700900012\u202c\nNobody,mine\n"
    import_id = await start(outbox, lines)
    await run(outbox, import_id)
    book = await outbox.client.get_all_contacts()
    assert [row.number for row in book.rows] == ["447700900011", "447700900012"]
