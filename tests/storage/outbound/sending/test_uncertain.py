"""What else a row of the report may be of: then it proves nothing of an uncertain text."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, update

from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.uncertain_resolution import LEEWAY, UncertainText
from app.storage.db.database import Connection
from app.storage.outbound.sending.uncertain import LIST_SPAN, list_evidence, list_uncertain
from app.storage.tables.outbound import outbound, provider_messages, send_attempts
from tests.support.outbox import ADA, GRACE, Outbox

TINY = timedelta(microseconds=1)
UNKNOWN, TAKEN = SendOutcome.UNKNOWN, SendOutcome.TAKEN


async def look(outbox: Outbox, *changes: Any) -> UncertainText:
    """A text whose call was cut off, once the changes have been made."""
    outbox.strike("reset", taken=False)
    number = await outbox.queue()
    await outbox.send()
    for change in changes:
        await outbox.database.write(Connection.execute, change)
    due = partial(list_uncertain, now=outbox.now() + timedelta(hours=1), limit=9)
    [found] = await outbox.database.read(due)
    assert found.id == number
    return found


@pytest.mark.parametrize(
    ("to", "outcome", "ended", "attempts", "has_id", "is_unclear"),
    [
        (ADA, UNKNOWN, timedelta(), 1, False, True),
        (ADA, UNKNOWN, -LEEWAY, 1, False, True),
        (ADA, UNKNOWN, -LEEWAY - TINY, 1, False, False),
        (GRACE, UNKNOWN, timedelta(), 1, False, False),
        (ADA, TAKEN, timedelta(), 1, False, False),
        (ADA, UNKNOWN, timedelta(), 1, True, False),
        # Its id is of the later call.
        (ADA, UNKNOWN, timedelta(), 2, True, True),
    ],
)
async def test_a_text_of_the_pair_whose_call_got_no_id_may_be_what_the_report_lists(
    outbox: Outbox,
    to: str,
    outcome: SendOutcome,
    ended: timedelta,
    attempts: int,
    has_id: bool,
    is_unclear: bool,
) -> None:
    now = outbox.now()
    sibling, other = await outbox.queue(to), await outbox.queue("447700900013")
    over = {"status": "failed", "settled_at": now}
    call = {"outbound_id": sibling, "attempt": 1, "began_at": now + ended, "ended_at": now + ended}
    owner = sibling if has_id else other
    given = {"provider_id": "77", "destination": "", "is_final": False, "updated_at": now}
    await outbox.database.write(Connection.execute, update(outbound).values(over))
    found = await look(
        outbox,
        update(outbound).where(outbound.c.id == sibling).values(attempts=attempts),
        insert(send_attempts).values(outcome=outcome, **call),
        insert(provider_messages).values(outbound_id=owner, **given),
    )
    assert found.has_unclear_sibling is is_unclear


@pytest.mark.parametrize(
    ("values", "is_unclear"),
    [
        ({}, True),
        ({"source_key": b"another"}, False),
        ({"attempts": 0}, False),
        ({"sent_at": -LIST_SPAN}, True),
        ({"sent_at": -LIST_SPAN - TINY}, False),
        ({"background_ids": ["6"]}, True),
        ({"settled_at": timedelta()}, True),
        ({"background_ids": ["6"], "settled_at": timedelta()}, False),
    ],
)
async def test_a_text_to_a_list_whose_ids_are_not_all_known_may_be_what_the_report_lists(
    outbox: Outbox, values: dict[str, Any], is_unclear: bool
) -> None:
    many = await outbox.queue(None, list_name="people")
    plain: dict[str, Any] = {"status": "failed", "attempts": 1, "background_ids": []}
    times = {
        name: outbox.now() + value if isinstance(value, timedelta) else value
        for name, value in values.items()
    }
    await outbox.database.write(Connection.execute, update(outbound).values(plain))
    change = update(outbound).where(outbound.c.id == many).values(plain | times)
    assert (await look(outbox, change)).has_unclear_sibling is is_unclear


async def test_a_text_that_is_tried_again_is_looked_at_by_its_last_call(outbox: Outbox) -> None:
    earlier = {"attempt": 1, "began_at": outbox.now() - timedelta(hours=1), "ended_at": None}
    outbox.pass_seconds(1)
    text = await look(
        outbox,
        update(outbound).values(attempts=2),
        update(send_attempts).values(attempt=2),
        insert(send_attempts).values(outbound_id=1, outcome=UNKNOWN, **earlier),
    )
    assert (text.attempt, text.began_at) == (2, outbox.now())


async def test_only_texts_to_numbers_whose_call_began_later_are_evidence(outbox: Outbox) -> None:
    async def send(to: str | None, **changes: Any) -> int:
        number = await outbox.queue(to, **changes)
        await outbox.send()
        return number

    await send(GRACE)
    outbox.pass_seconds(1)
    text = await look(outbox)
    await send("447700900013")  # at the same moment
    outbox.pass_seconds(1)
    later = await send("447700900014")
    await send(None, list_name="people")
    outbox.pass_seconds(1)
    last = replace(text, ended_at=outbox.now())
    for texts in ([text], [last, text], [text, last]):
        found = await outbox.database.read(list_evidence, texts)
        assert [*found] == await outbox.ids(later)
    [evidence] = found.values()
    assert (evidence.to, evidence.began_at) == ("447700900014", outbox.now() - timedelta(seconds=1))
