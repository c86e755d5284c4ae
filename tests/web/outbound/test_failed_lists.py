"""A failed text to a list has no conversation: somebody deals with it on its own page."""

from typing import Any

from sqlalchemy import Connection, update

from app.domain.outbound.states import OutboundStatus
from app.storage.conversations.attention import count_failed
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.support.fixtures import on_either
from tests.support.simulated import ADA
from tests.web.visiting import Visitor, visiting_with_account

BUTTON = "Mark as dealt with"

clerk = on_either(visiting_with_account)


async def fail(clerk: Visitor, **recipients: Any) -> None:
    """Write a text, and have it fail."""
    text = {"source": "447700900100", "body": "We are closed tomorrow"}
    await clerk.running.send("POST", "/outbound", text | recipients)

    def settle(conn: Connection) -> None:
        values = {"status": OutboundStatus.FAILED, "settled_at": NOW}
        conn.execute(update(outbound).values(**values))

    await clerk.running.runtime.database.write(settle)


async def count(clerk: Visitor) -> int:
    counts = await clerk.running.runtime.database.read(count_failed)
    return counts[OutboundStatus.FAILED]


async def test_a_failed_text_to_a_list_is_marked_as_dealt_with(clerk: Visitor) -> None:
    await fail(clerk, list="customers")
    assert await count(clerk) == 1
    assert BUTTON in await clerk.read("/outbox/1")
    page = await clerk.submit("/texts/1/attend")
    assert "Marked as dealt with." in page
    assert BUTTON not in page
    assert await count(clerk) == 0
    await clerk.submit("/texts/1/attend")
    assert (await clerk.read("/audit")).count("dealt with a failed text") == 1


async def test_a_failed_text_to_a_number_is_dealt_with_in_its_conversation(clerk: Visitor) -> None:
    await fail(clerk, to=ADA)
    assert BUTTON not in await clerk.read("/outbox/1")
    await clerk.submit("/texts/1/attend")
    assert await count(clerk) == 1
