"""Lists of what is to be sent later, page by page."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.outbound.requests import OutboundRequest
from app.domain.places import TimePlace
from app.storage.db.database import Connection
from app.storage.outbound.batches import add_batch, list_batches, list_scheduled_batches
from app.storage.outbound.changes import list_scheduled
from app.storage.outbound.outbox import Addressee, queue_texts
from app.storage.outbound.texts import list_recipients
from app.storage.tables.outbound import outbound
from tests.conftest import NOW
from tests.support.outbox import ADA, GRACE, OURS, Outbox

HOUR = timedelta(hours=1)
# Some at one time, and as many as fill the last page.
TIMES = [NOW + hours * HOUR for hours in (2, 1, 1, 3, 1, 4)]


def add_text(conn: Connection, at: datetime) -> None:
    request = OutboundRequest(OURS, "Hello", schedule_at=at)
    queue_texts(conn, request, [Addressee(ADA)], "Anna", NOW)


def add_done_batch(conn: Connection, at: datetime) -> None:
    add_batch(conn, "Anna", at, {"state": "done", "total": 2})


def read_texts(conn: Connection, place: TimePlace | None) -> tuple[list[int], TimePlace | None]:
    page = list_scheduled(conn, NOW, after=place, limit=2)
    return [each.id for each in page.texts], page.next


def read_batches(conn: Connection, place: TimePlace | None) -> tuple[list[int], TimePlace | None]:
    page = list_batches(conn, before=place, limit=2)
    return [each.id for each in page.batches], page.next


@pytest.mark.parametrize(
    ("add", "read", "pages"),
    [
        (add_text, read_texts, [[2, 3], [5, 1], [4, 6]]),
        (add_done_batch, read_batches, [[6, 4], [1, 5], [3, 2]]),
    ],
)
async def test_each_is_on_one_page(
    outbox: Outbox, add: Callable[..., None], read: Callable[..., Any], pages: list[list[int]]
) -> None:
    for at in TIMES:
        await outbox.database.write(add, at)
    found, place = [], None
    for _ in pages:
        ids, place = await outbox.database.read(read, place)
        found.append(ids)
    assert (found, place) == (pages, None)


async def test_what_is_still_to_come_is_listed_and_nothing_else(outbox: Outbox) -> None:
    soon, kept = NOW + HOUR, {"status": "sent", "schedule_by": "provider", "sent_at": NOW}
    await outbox.queue_many([ADA, GRACE], schedule_at=soon)
    cases: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"status": "held"}, True),
        (kept, True),
        (kept | {"settled_at": NOW}, False),
        (kept | {"schedule_by": "letterbox"}, False),
        ({"status": "cancelled"}, False),
        ({"status": "sending"}, False),
        ({"schedule_at": NOW}, False),
        ({"schedule_at": None}, False),
    ]
    wanted = []
    for values, is_to_come in cases:
        number = await outbox.queue(schedule_at=soon, schedule_by="letterbox")
        if values:
            change = update(outbound).where(outbound.c.id == number).values(values)
            await outbox.database.write(Connection.execute, change)
        wanted += [number] * is_to_come
    page = await outbox.database.read(partial(list_scheduled, after=None, limit=50), NOW)
    assert [each.id for each in page.texts] == wanted


async def test_a_text_has_the_providers_messages_of_its_own(outbox: Outbox) -> None:
    numbers = [await outbox.queue(to, body="x" * 400) for to in (ADA, GRACE)]
    await outbox.send()
    for number in numbers:
        own, shown, before = await outbox.ids(number), [], None
        for _ in own:
            page = partial(list_recipients, before=before, limit=1)
            [found] = await outbox.database.read(page, number)
            shown.append(found.provider_id)
            before = found.id
        assert shown == own[::-1]


async def test_the_batches_that_are_still_to_come_are_listed_soonest_first(
    outbox: Outbox,
) -> None:
    kinds = [(2, "done"), (1, "queueing"), (0, "done"), (1, "draft"), (1, "cancelled"), (1, "done")]
    for hours, state in kinds:
        values = {"state": state, "schedule_at": NOW + hours * HOUR}
        await outbox.database.write(add_batch, "Anna", NOW, values)
    found = await outbox.database.read(partial(list_scheduled_batches, limit=9), NOW)
    assert [each.id for each in found] == [2, 6, 1]
