"""What is recorded of the provider's statuses, part by part, and which are asked for."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from app.storage.db.database import Connection
from app.storage.operations.erasures.erasures import add_erasure, finish_erasure
from app.storage.outbound.sending.deliveries import (
    Asked,
    StatusReport,
    find_open,
    list_unsettled,
    record_recipients,
    record_statuses,
)
from app.storage.tables.outbound import outbound, provider_messages
from tests.conftest import NOW
from tests.support.outbox import ADA, GRACE, Outbox

HOUR = timedelta(hours=1)


async def add_text(outbox: Outbox, *parts: str, to: str | None = ADA, **values: Any) -> int:
    """A text that the provider took, and the ids of its parts; an id with + has its last status."""
    number = await outbox.queue(to, list_name=None if to else "people")
    sent = {"status": "sent", "sent_at": NOW, "check_at": NOW, **values}
    plain = {"outbound_id": number, "destination": to or "", "updated_at": NOW}

    def work(conn: Connection) -> None:
        conn.execute(update(outbound).where(outbound.c.id == number).values(sent))
        for part in parts:
            is_final = part.endswith("+")
            given = {"provider_id": part.rstrip("+"), "is_final": is_final}
            status = "Delivered" if is_final else "Sent"
            conn.execute(insert(provider_messages).values(**plain, **given, status=status))

    await outbox.database.write(work)
    return number


async def tell(outbox: Outbox, number: int, **statuses: str) -> int:
    """The provider tells of parts; returns how many texts changed."""
    reports = [StatusReport(number, each, status) for each, status in statuses.items()]
    return await outbox.database.write(record_statuses, reports, "check", NOW)


async def test_only_what_has_no_last_status_is_asked_for_longest_waiting_first(
    outbox: Outbox,
) -> None:
    late = await add_text(outbox, "a+", "c", "b", background_ids=["x"])
    first = await add_text(outbox, "d", to=GRACE, check_at=NOW - HOUR)
    people = await add_text(outbox, "e", to=None, background_ids=["y"])
    await add_text(outbox, "f", check_at=NOW + HOUR)
    await add_text(outbox, "g", check_at=None)
    await add_text(outbox, "h", status="delivered")
    due = await outbox.database.read(partial(list_unsettled, limit=9), NOW)
    assert [(each.id, each.open_ids, each.background_ids) for each in due] == [
        (first, ("d",), ()),
        (late, ("c", "b"), ("x",)),
        (people, (), ("y",)),
    ]
    due = await outbox.database.read(partial(list_unsettled, limit=2), NOW)
    assert [each.id for each in due] == [first, late]
    still_open = await outbox.database.read(find_open, ["a", "b", "e", "z"])
    assert sorted((each.provider_id, each.outbound_id) for each in still_open) == [
        ("b", late),
        ("e", people),
    ]


@pytest.mark.parametrize(
    ("sent_at", "schedule_at", "schedule_by", "since"),
    [
        (NOW + HOUR, None, None, NOW + HOUR),
        (None, None, None, NOW),
        (NOW, NOW + HOUR, "provider", NOW + HOUR),
        (NOW + HOUR, NOW, "provider", NOW + HOUR),
        (NOW, NOW + HOUR, "letterbox", NOW),
    ],
)
async def test_a_text_is_followed_since_it_was_to_go_out(
    outbox: Outbox,
    sent_at: datetime | None,
    schedule_at: datetime | None,
    schedule_by: str | None,
    since: datetime,
) -> None:
    times: dict[str, Any] = {
        "sent_at": sent_at,
        "schedule_at": schedule_at,
        "schedule_by": schedule_by,
    }
    await add_text(outbox, "a", **times)
    [due] = await outbox.database.read(partial(list_unsettled, limit=9), NOW)
    assert due.since == since


async def test_each_part_is_told_once_and_its_last_status_stays(outbox: Outbox) -> None:
    number = await add_text(outbox, "a", "b")
    assert await tell(outbox, number, a="Sent", stranger="Failed") == 0
    assert await tell(outbox, number, a="Delivered") == 1
    assert await tell(outbox, number, a="Delivered") == 0
    assert await tell(outbox, number, a="Failed", b="Sent") == 0
    assert await outbox.status(number) == "sent"
    assert await tell(outbox, number, a="Failed", b="Undeliverable") == 1
    row = await outbox.row(number)
    assert (row.status, row.provider_status, row.check_at) == ("undelivered", "Undeliverable", None)
    assert row.settled_at is not None
    assert await outbox.history(number) == [
        ("sent", "check", "Delivered"),
        ("undelivered", "check", "Undeliverable"),
    ]
    assert await tell(outbox, number, b="Delivered") == 0
    counted = await outbox.fetch("SELECT name, value FROM daily_counts WHERE name LIKE '%deliver%'")
    assert [tuple(each) for each in counted] == [("undelivered", 1)]


async def test_a_list_ends_once_all_its_recipients_have_ended_alike(outbox: Outbox) -> None:
    alike = await add_text(outbox, "a+", "b", to=None)
    other = await add_text(outbox, "c+", "d", to=None)
    asked = [Asked(alike), Asked(other)]
    record = partial(record_statuses, asked=asked)
    assert await outbox.database.write(record, [], "check", NOW) == 0
    for number, report in ((alike, ("b", "Delivered")), (other, ("d", "Failed"))):
        reports = [StatusReport(number, *report, GRACE)]
        await outbox.database.write(record_recipients, number, reports, NOW)
    assert await outbox.database.write(record, [], "check", NOW) == 1
    assert await outbox.statuses([alike, other]) == ["delivered", "sent"]
    assert await outbox.history(alike) == [("delivered", "check", "Delivered")]
    row = await outbox.row(other)
    assert (row.settled_at is None, row.check_at) == (False, None)
    assert row.settled_reason == "its recipients ended differently; each has its own status"


async def test_a_text_that_was_asked_for_in_vain_keeps_what_is_known_of_it(
    outbox: Outbox,
) -> None:
    number = await add_text(outbox, "a")
    record = partial(record_statuses, asked=[Asked(number, "no answer")])
    report = StatusReport(number, "a", "Pending")
    await outbox.database.write(record, [report], "check", NOW)
    row = await outbox.row(number)
    assert (row.status, row.provider_status, row.check_error) == ("sent", "Pending", "no answer")
    assert row.settled_at is None
    record = partial(record_statuses, asked=[Asked(number, "unknown id", is_over=True)])
    await outbox.database.write(record, [], "check", NOW)
    row = await outbox.row(number)
    assert (row.status, row.provider_status, row.check_at) == ("sent", "Pending", None)
    assert row.settled_reason == "its status cannot be followed: unknown id"
    assert row.settled_at is not None


async def test_a_recipient_who_was_erased_is_not_named_again(outbox: Outbox) -> None:
    database = outbox.database
    database.digest_key.key = b"a key of this test"
    begun = await database.write(add_erasure, ADA, b"", who="test", now=NOW)
    await database.write(finish_erasure, begun.id, {}, NOW)
    number = await add_text(outbox, "a+", to=None)
    reports = [
        StatusReport(number, "a", "Sent", GRACE),
        StatusReport(number, "b", "Sent", ADA),
        StatusReport(number, "c", "Sent", GRACE),
    ]

    async def count_events() -> int:
        query = "SELECT count(*) FROM events WHERE kind = 'status'"
        return int((await outbox.fetch(query))[0][0])

    before = await count_events()
    for _ in range(2):
        await database.write(record_recipients, number, reports, NOW)
    table = provider_messages.c
    query = select(table.provider_id, table.destination, table.status).order_by(table.provider_id)
    rows = await database.read(lambda conn: conn.execute(query).all())
    assert [tuple(each) for each in rows] == [
        ("a", "", "Delivered"),
        ("b", "", "Sent"),
        ("c", GRACE, "Sent"),
    ]
    # What is no news is not told again.
    assert await count_events() == before + 1
