"""What an erasure leaves of messages: nothing of the number, and everything else as it was."""

from typing import Any

from sqlalchemy import select

from app.domain.ids import LAST_ID
from app.domain.written_numbers import NumberForms
from app.storage.db.database import Connection, Database
from app.storage.inbound.erasing import erase_message
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.operations.erasures.redaction import Erasing
from app.storage.tables.inbound import message_index, messages
from app.storage.tables.outbound import outbound
from app.storage.tables.rules import opt_outs
from tests.conftest import NOW
from tests.flows.desk import Desk

ADA, GRACE = "447700900011", "447700900012"
ERASING = Erasing(NumberForms(ADA, "44", is_ours=True), NOW)


def list_indexed(conn: Connection, word: str) -> list[Any]:
    """The messages whose entry in the search index may have the word."""
    query = MESSAGE_INDEX.select_candidates(
        conn.dialect.name, [word], top=LAST_ID, bottom=0, count=9
    )
    return sorted(number for [number] in conn.execute(query))


async def test_a_message_that_speaks_of_the_number_is_found_by_its_other_words_only(
    database: Database,
) -> None:
    desk = Desk(database)
    by_id = await desk.receive(f"Ask {ADA}", source=GRACE, provider_id=f"id-{ADA}")
    plain = await desk.receive(f"Ask {ADA} too", source=GRACE, provider_id="8")
    await desk.handle()
    waiting = await desk.receive(f"Ask {ADA} now", source=GRACE)
    query = select(message_index.c.provider_key, message_index.c.identity_key)
    query = query.order_by(message_index.c.message_id)
    keys = await database.read(lambda conn: conn.execute(query).all())
    assert await database.read(list_indexed, ADA) == [*by_id, *plain]
    for number in (*by_id, *plain, *waiting):
        assert await database.write(erase_message, (number,), ERASING) == "changed"
    assert await database.read(list_indexed, ADA) == []
    assert await database.read(list_indexed, "ask") == [*by_id, *plain]
    assert await database.read(list_indexed, "too") == plain
    bodies = [each.body for each in await desk.read([*by_id, *plain, *waiting])]
    assert bodies == [f"Ask [erased]{rest}" for rest in ("", " too", " now")]
    # What is known by the number is not known by it any more.
    left = await database.read(lambda conn: conn.execute(query).all())
    assert [tuple(each) for each in left] == [(None, b""), tuple(keys[1])]
    await desk.handle()
    assert await database.read(list_indexed, "now") == waiting


async def test_nothing_that_stays_points_at_a_message_that_went(database: Database) -> None:
    desk = Desk(database)
    [stop, other] = [
        *await desk.receive("STOP", source=ADA),
        *await desk.receive("STOP", source=GRACE),
    ]
    await desk.handle()
    for number, message in ((ADA, stop), (GRACE, other)):
        await desk.write_to(number, in_reply_to=message, force=True)
    assert await database.write(erase_message, (stop,), ERASING) == "removed"
    replies = select(outbound.c.in_reply_to).where(outbound.c.origin != "opt-out")
    said = select(opt_outs.c.message_id, opt_outs.c.text, opt_outs.c.is_out)
    replied = await database.read(lambda conn: conn.execute(replies.order_by(outbound.c.id)).all())
    assert [row[0] for row in replied] == [None, other]
    outs = await database.read(lambda conn: conn.execute(said.order_by(opt_outs.c.id)).all())
    assert [tuple(each) for each in outs] == [(None, "", True), (other, "STOP", True)]


async def test_a_stop_that_waits_to_be_handled_holds_after_it_went(database: Database) -> None:
    desk = Desk(database)
    stop, kept = await desk.receive("STOP", source=ADA), await desk.receive("Hi", source=GRACE)
    assert await database.write(erase_message, (stop[0],), ERASING) == "removed"
    left = await database.read(lambda conn: [*conn.execute(select(messages.c.id)).scalars()])
    assert left == kept
    outs = await database.read(lambda conn: conn.execute(select(opt_outs.c.is_out)).all())
    assert [row.is_out for row in outs] == [True]
