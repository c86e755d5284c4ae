"""What an operator's pages ask of the database, on both kinds."""

from datetime import timedelta

from app.domain.outbound.requests import OutboundRequest
from app.storage.db.database import Database
from app.storage.db.writes import Writes
from app.storage.inbound.last_seen import STEP, find_last_arrival, note_arrivals
from app.storage.inbound.refusals import NewRefusal, add_refusals, list_refusals
from app.storage.operations.stats import measure_parts
from app.storage.outbound.outbox import Addressee
from tests.conftest import NOW
from tests.support.outbox import add_outbound

OURS, OTHER = "447700900100", "447700900101"


async def test_the_last_text_to_a_number_is_known(database: Database) -> None:
    assert await database.read(find_last_arrival, OURS) is None
    later = NOW + STEP
    writes = Writes()
    note_arrivals(writes, [(OURS, NOW), (OTHER, NOW), (OURS, later)], {OURS: None, OTHER: None})
    await database.write(writes.run)
    assert await database.read(find_last_arrival, OURS) == later


async def test_refusals_are_found_by_number(database: Database) -> None:
    refused = [
        NewRefusal(NOW + timedelta(seconds=at), "192.0.2.1", dest, "wrong-auth", 1)
        for at, dest in enumerate((OURS, OTHER, OURS))
    ]
    await database.write(add_refusals, refused)
    found = await database.read(list_refusals, dest=OURS, before=None, limit=10)
    assert [each.refused_at for each in found] == [NOW + timedelta(seconds=2), NOW]
    older = await database.read(list_refusals, dest=OURS, before=found[0].id, limit=10)
    assert older == found[1:]


async def test_parts_are_averaged_over_texts_to_numbers(database: Database) -> None:
    assert await database.read(measure_parts) == 1.0
    for body, to in (("a" * 10, OTHER), ("a" * 161, OTHER)):
        await database.write(add_outbound, OutboundRequest(OURS, body), Addressee(to), NOW)
    many = OutboundRequest(OURS, "a" * 459, list_name="people")
    await database.write(add_outbound, many, Addressee(), NOW)
    assert await database.read(measure_parts) == 1.5
    assert await database.read(measure_parts, newest=1) == 2.0
