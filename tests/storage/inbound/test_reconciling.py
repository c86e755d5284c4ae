"""Which rows of the provider's report were erased here, and which only look like it."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, update

from app.domain.inbound.reconciling import ReportedText
from app.storage.db.database import Connection, Database
from app.storage.inbound.reconciling import (
    find_by_id,
    find_erased_rows,
    find_hindrance,
    find_near,
)
from app.storage.operations.erasures.erasures import add_erasure, finish_erasure
from app.storage.operations.erasures.tombstones import bury_messages
from app.storage.tables.inbound import messages
from app.storage.tables.operations import processes
from tests.conftest import NOW
from tests.flows.desk import Desk
from tests.support.messages import make_stored

ADA, OURS = "447700900123", "447700900100"
SECOND = timedelta(seconds=1)


def report(body: str = "Hello", at: datetime | None = NOW, provider_id: str = "") -> ReportedText:
    return ReportedText(provider_id, ADA, OURS, body, at)


async def find(database: Database, *rows: ReportedText) -> set[int]:
    gone, _ = await database.read(find_erased_rows, dict(enumerate(rows)))
    return gone


@pytest.fixture
def keyed(database: Database) -> Database:
    database.digest_key.key = b"a key of this test"
    return database


async def test_only_what_the_pair_received_in_that_time_may_be_a_row_of_the_report(
    database: Database,
) -> None:
    desk, until = Desk(database), NOW + 2 * SECOND
    found = []
    for source, seconds in ((ADA, -1), (ADA, 0), (ADA, 1), (ADA, 2), ("447700900011", 0)):
        at = NOW + seconds * SECOND
        found += await desk.receive("Yes", source=source, dest=OURS, received_at=at)
    await desk.receive("Yes", source=ADA, dest="447700900101")
    await desk.handle()
    near = await database.read(find_near, (OURS, ADA), NOW, until)
    assert sorted(each.id for each in near) == found[1:3]


async def test_a_row_is_known_by_its_id_unless_that_message_repeats_another(
    database: Database,
) -> None:
    desk = Desk(database)
    pair: dict[str, Any] = {"source": ADA, "dest": OURS}
    ids = []
    for provider_id in ("7", "7", "7", "8"):
        ids += await desk.receive("Yes", provider_id=provider_id, **pair)
    await desk.receive("Yes", provider_id="7", source=ADA, dest="447700900101")
    await desk.handle()
    repeats = update(messages).where(messages.c.id == ids[1]).values(duplicate_of=ids[0])
    await database.write(Connection.execute, repeats)
    rows = [report(provider_id="7"), report(), report(provider_id="9")]
    found = await database.read(find_by_id, rows)
    assert {key: [each.id for each in same] for key, same in found.items()} == {
        (OURS, ADA, "7"): [ids[0], ids[2]]
    }


async def test_nothing_is_missing_while_something_of_that_time_may_be_on_its_way(
    database: Database,
) -> None:
    desk, alive = Desk(database), NOW - SECOND
    process: dict[str, object] = {
        "id": "one",
        "kind": "web",
        "host": "here",
        "pid": 1,
        "started_at": NOW,
    }
    process |= {"spool_depth": 3, "seen_at": alive - SECOND, "runs_workers": False}
    add = insert(processes).values(process)

    async def find_reason(until: datetime) -> str | None:
        return await database.read(partial(find_hindrance, alive_since=alive), until)

    await database.write(Connection.execute, add)
    assert await find_reason(NOW) is None
    await desk.receive("Yes")
    assert await find_reason(NOW - SECOND) is None
    assert await find_reason(NOW) == "messages of that time wait to be handled"
    await desk.handle()
    assert await find_reason(NOW) is None
    await database.write(Connection.execute, update(processes).values(seen_at=alive))
    assert await find_reason(NOW) == "messages wait in a spool"


async def test_what_an_erased_number_wrote_afterwards_is_kept(keyed: Database) -> None:
    begun = await keyed.write(add_erasure, ADA, b"", who="test", now=NOW - SECOND)
    await keyed.write(finish_erasure, begun.id, {}, NOW)
    rows = [report(at=NOW - SECOND), report(), report(at=NOW + SECOND), report(at=None)]
    assert await find(keyed, *rows) == {0, 1}


async def test_a_text_without_an_id_is_an_erased_one_by_words_and_time_together(
    keyed: Database,
) -> None:
    def bury(conn: Connection) -> None:
        bury_messages(conn, [(b"key", make_stored(source=ADA, dest=OURS))], NOW)

    await keyed.write(bury)
    late = NOW + timedelta(hours=2)
    assert await find(keyed, report("Other"), report(at=late), report(at=None)) == set()
    # Each erased text accounts for one row, the nearest in time.
    soon = NOW + timedelta(minutes=5)
    assert await find(keyed, report("Other"), report(at=soon), report(), report()) == {2}
    gone, used = await keyed.read(find_erased_rows, {7: report()})
    assert gone == {7}
    assert await keyed.read(find_erased_rows, {8: report()}, used) == (set(), set())


async def test_a_text_with_an_id_is_an_erased_one_by_that(keyed: Database) -> None:
    def bury(conn: Connection) -> None:
        message = make_stored(source=ADA, dest=OURS, provider_id="7")
        bury_messages(conn, [(b"key", message)], NOW)

    await keyed.write(bury)
    late = NOW + timedelta(hours=2)
    assert await find(keyed, report("Other", late, "8"), report("Other", late, "7")) == {1}
