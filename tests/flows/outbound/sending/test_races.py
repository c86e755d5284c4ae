"""Two processes that get at one text at once: the second goes by what the first has made of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from app.domain.errors import Conflict
from app.domain.outbound.transitions import OutboundEvent
from app.domain.outbound.uncertain_resolution import Finding, UncertainText
from app.storage.db.database import Connection, open_database
from app.storage.outbound.cancellations import cancel_waiting
from app.storage.outbound.changes import change_waiting, lock_text
from app.storage.outbound.sending.deliveries import StatusReport, record_recipients, record_statuses
from app.storage.outbound.sending.expiry import end_leases, expire_overdue
from app.storage.outbound.sending.resolving import resolve_by_hand, resolve_uncertain
from app.storage.outbound.sending.sender import pause_sender
from app.storage.outbound.sending.uncertain import list_uncertain
from tests.support.outbox import Outbox, claim_due, open_outbox, wait_for_calls
from tests.support.storage.overlap import Work, overlap


@pytest.fixture
async def outbox(postgres_url: str) -> AsyncIterator[Outbox]:
    """On PostgreSQL: SQLite has a single writer."""
    database = open_database(postgres_url, Path())
    async with open_outbox(database) as opened:
        yield opened
    await database.close()


def cancel(number: int, outbox: Outbox) -> Work:
    return lambda conn: cancel_waiting(conn, number, "Anna", outbox.now())


def claim(outbox: Outbox) -> Work:
    return lambda conn: claim_due(conn, now=outbox.now())


async def test_a_text_that_is_cancelled_while_it_is_claimed_does_not_go_out(outbox: Outbox) -> None:
    number = await outbox.queue()
    claimed = await overlap(outbox.database, cancel(number, outbox), claim(outbox))
    assert claimed.texts == []
    row = await outbox.row(number)
    assert (row.status, row.attempts) == ("cancelled", 0)


async def test_a_text_that_is_claimed_while_it_is_cancelled_goes_out(outbox: Outbox) -> None:
    number = await outbox.queue()
    with pytest.raises(Conflict, match="being sent"):
        await overlap(outbox.database, claim(outbox), cancel(number, outbox))
    assert await outbox.status(number) == "sending"


def change(number: int, outbox: Outbox) -> Work:
    def work(conn: Connection) -> None:
        if lock_text(conn, number).status == "queued":
            change_waiting(conn, number, {"body": "Hi"}, "text changed", "Anna", outbox.now())

    return work


async def test_a_text_that_is_changed_while_it_is_claimed_goes_out_as_changed(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    claimed = await overlap(outbox.database, change(number, outbox), claim(outbox))
    assert [each.body for each in claimed.texts] == ["Hi"]


async def test_a_text_that_is_claimed_while_it_is_changed_stays_as_it_goes_out(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    await overlap(outbox.database, claim(outbox), change(number, outbox))
    row = await outbox.row(number)
    assert (row.status, row.body) == ("sending", "Hello")


async def test_nothing_is_claimed_once_a_person_has_paused_sending(outbox: Outbox) -> None:
    number = await outbox.queue()
    pause = partial(pause_sender, who="Anna", reason=None, now=outbox.now())
    claimed = await overlap(outbox.database, pause, claim(outbox))
    assert (claimed.texts, claimed.is_paused) == ([], True)
    assert await outbox.status(number) == "queued"


async def test_an_answer_that_comes_as_the_lease_ends_holds(outbox: Outbox) -> None:
    number = await outbox.queue()
    sender = outbox.make_sender()
    await sender.turn()
    await wait_for_calls(sender)
    results = sender.results

    def record(conn: Connection) -> None:
        assert results.record(conn, results.get_next()) == 1

    end = partial(end_leases, now=outbox.now() + timedelta(days=1))
    assert await overlap(outbox.database, record, end) == 0
    assert await outbox.status(number) == "sent"
    assert await outbox.history(number) == [("sent", "send", None)]


async def test_a_text_that_is_cancelled_while_its_time_ends_stays_cancelled(outbox: Outbox) -> None:
    number = await outbox.queue(validity_seconds=60)
    outbox.pass_seconds(60)
    late = partial(expire_overdue, now=outbox.now())
    assert await overlap(outbox.database, cancel(number, outbox), late) == 0
    assert await outbox.history(number) == [("cancelled", "Anna", None)]


async def break_call(outbox: Outbox) -> tuple[int, UncertainText]:
    """A text whose call broke, and what is known of it a few seconds later."""
    number = await outbox.queue()
    outbox.strike("reset")
    await outbox.send()
    outbox.pass_seconds(5)
    [found] = await outbox.database.read(list_uncertain, outbox.now(), limit=9)
    return number, found


@pytest.mark.parametrize("finding", [Finding.SEND_AGAIN, Finding.DOUBT])
async def test_what_a_person_says_of_a_text_holds_whatever_the_report_proves(
    outbox: Outbox, finding: Finding
) -> None:
    number, found = await break_call(outbox)
    now = outbox.now()
    failed = OutboundEvent.FAILED_BY_HAND

    def settle(conn: Connection) -> None:
        resolve_by_hand(conn, number, failed, None, "Anna", now)

    def prove(conn: Connection) -> bool:
        return resolve_uncertain(conn, found, finding, [], now, proof_seconds=600)

    assert await overlap(outbox.database, settle, prove) is False
    row = await outbox.row(number)
    assert (row.status, row.check_at) == ("failed", None)


async def test_what_the_report_adopts_is_not_sent_again_by_hand(outbox: Outbox) -> None:
    number, found = await break_call(outbox)
    now = outbox.now()
    again = OutboundEvent.RESENT_BY_HAND

    def adopt(conn: Connection) -> None:
        assert resolve_uncertain(conn, found, Finding.ADOPT, ["1"], now, proof_seconds=600)

    def send_again(conn: Connection) -> None:
        resolve_by_hand(conn, number, again, None, "Anna", now)

    with pytest.raises(Conflict, match="is sent"):
        await overlap(outbox.database, adopt, send_again)
    assert await outbox.status(number) == "sent"


def tell(number: int, ids: Sequence[str], word: str, outbox: Outbox) -> Work:
    reports = [StatusReport(number, each, word) for each in ids]
    return lambda conn: record_statuses(conn, reports, "check", outbox.now())


async def test_an_older_status_that_is_recorded_later_does_not_undo_the_last(
    outbox: Outbox,
) -> None:
    number = await outbox.queue()
    await outbox.send()
    ids = await outbox.ids(number)
    delivered = tell(number, ids, "Delivered", outbox)
    assert await overlap(outbox.database, delivered, tell(number, ids, "Sent", outbox)) == 0
    row = await outbox.row(number)
    assert (row.status, row.provider_status) == ("delivered", "Delivered")
    assert await outbox.fetch("SELECT status FROM provider_messages") == [("Delivered",)]


async def test_a_recipients_last_status_stays_likewise(outbox: Outbox) -> None:
    number = await outbox.queue(None, list_name="people")
    await outbox.send()
    first, second = [
        partial(
            record_recipients,
            outbound_id=number,
            reports=[StatusReport(number, "1", word, "447700900011")],
            now=outbox.now(),
        )
        for word in ("Delivered", "Sent")
    ]
    await overlap(outbox.database, first, second)
    assert await outbox.fetch("SELECT status FROM provider_messages") == [("Delivered",)]
