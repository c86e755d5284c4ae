"""Which texts may be the same as one that the provider's report has brought."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from app.domain.inbound.duplicates import TOLERANCE
from app.storage.db.database import Connection, Database
from app.storage.inbound.duplicates import find_forwarded, find_reported
from app.storage.tables.conversations import conversations
from app.storage.tables.inbound import messages
from tests.conftest import NOW
from tests.flows.desk import Desk

EARLY = NOW - TOLERANCE - timedelta(microseconds=1)


async def receive(desk: Desk, kinds: list[dict[str, Any]]) -> list[int]:
    texts = [each for kind in kinds for each in await desk.receive("Hello", **kind)]
    await desk.handle()
    query = select(conversations.c.id).order_by(conversations.c.id)
    desk_ids = await desk.database.read(lambda conn: [*conn.execute(query).scalars()])
    assert len(desk_ids) == 2
    return [desk_ids[0], *texts]


async def repeat(database: Database, number: int, of: int | None) -> None:
    """Say of a text that it repeats another one, and of no other."""
    await database.write(Connection.execute, update(messages).values(duplicate_of=None))
    change = update(messages).where(messages.c.id == number).values(duplicate_of=of)
    await database.write(Connection.execute, change)


async def test_a_report_looks_for_handled_forwards_behind_it_that_repeat_no_other(
    database: Database,
) -> None:
    desk, other = Desk(database), {"source": "447700900002"}
    forward, report = {"via": "forward"}, {"via": "report"}
    kinds = [forward, report, forward, forward, report, forward | other]
    talk, _, reported, one, two, *_ = await receive(desk, kinds)
    await desk.receive("Hello")  # it has not been handled
    await repeat(database, two, reported)
    found = await database.read(find_forwarded, [talk], reported)
    assert [each.id for each in found] == [one]


async def test_a_forward_looks_for_reported_texts_that_none_has_repeated(
    database: Database,
) -> None:
    desk, other = Desk(database), {"source": "447700900002"}
    report: dict[str, Any] = {"via": "report"}
    kinds = [report, report, {"via": "forward"}, report | {"received_at": EARLY}, report | other]
    talk, one, two, forward, *_ = await receive(desk, kinds)
    await repeat(database, forward, two)
    found = await database.read(find_reported, [talk], NOW)
    assert [each.id for each in found] == [one]
