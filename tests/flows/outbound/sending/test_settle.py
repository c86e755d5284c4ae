"""Uncertain texts: adopted, proved absent twice, or handed to a person, and never sent blindly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from app.domain.errors import Conflict
from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.transitions import OutboundEvent
from app.domain.outbound.uncertain_resolution import Finding, UncertainText
from app.storage.outbound.sending.resolving import ask_person, resolve_by_hand, resolve_uncertain
from app.storage.outbound.sending.uncertain import list_evidence, list_uncertain
from app.storage.tables.outbound import outbound
from tests.support.outbox import ADA, GRACE, OURS, Outbox

PROOF = 600
COUNTED = "SELECT name, value FROM daily_counts WHERE name IN ('sent', 'failed')"


async def queue_uncertain(outbox: Outbox, *, taken: bool, **changes: object) -> int:
    number = await outbox.queue(**changes)  # type: ignore[arg-type]  # of OutboundRequest
    outbox.strike("reset", taken=taken)
    await outbox.send()
    assert await outbox.status(number) == "uncertain"
    return number


async def settle_after(outbox: Outbox, *seconds: float) -> int:
    settled = 0
    for each in seconds:
        outbox.pass_seconds(each)
        settled += await outbox.settle(proof_seconds=PROOF)
    return settled


async def send_later(outbox: Outbox) -> None:
    """Another text, which the report lists: so far the report reaches."""
    outbox.pass_seconds(1)
    await outbox.queue(GRACE)
    await outbox.send()


async def test_a_text_that_the_report_has_is_adopted_and_followed(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=True)
    began = (await outbox.fetch("SELECT began_at FROM send_attempts"))[0].began_at
    assert await settle_after(outbox, 5) == 1
    row = await outbox.row(number)
    assert (row.status, row.sent_at) == ("sent", began)
    assert await outbox.ids(number) == ["3509592"]
    outbox.pass_seconds(10)
    await outbox.check()
    assert await outbox.status(number) == "delivered"
    assert await outbox.send() == 0
    assert len(outbox.taken()) == 1


async def test_the_next_look_is_when_something_may_be_proved_and_never_at_once(
    outbox: Outbox,
) -> None:
    number = await queue_uncertain(outbox, taken=False)
    outbox.pass_seconds(60)
    [text] = await outbox.database.read(partial(list_uncertain, now=outbox.now(), limit=9))

    async def look(finding: Finding, proof: int) -> timedelta:
        settle = partial(resolve_uncertain, proof_seconds=proof)
        await outbox.database.write(settle, text, finding, [], outbox.now())
        return await find_wait(outbox, number)

    assert await look(Finding.SUSPECT, 5) == timedelta(seconds=5)
    outbox.pass_seconds(3600)
    assert await look(Finding.DOUBT, 5) > timedelta(seconds=60)  # a person has been asked
    assert await look(Finding.SUSPECT, 3600) > timedelta(seconds=60)


async def find_wait(outbox: Outbox, number: int) -> timedelta:
    """How long until the next look for a text."""
    query = select(outbound.c.check_at).where(outbound.c.id == number)
    check_at: datetime = await outbox.database.read(lambda conn: conn.execute(query).scalar_one())
    return check_at - outbox.now()


async def test_what_changed_while_the_report_was_read_is_left_alone(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=True)
    outbox.pass_seconds(5)
    [text] = await outbox.database.read(partial(list_uncertain, now=outbox.now(), limit=9))
    earlier = replace(text, attempt=text.attempt - 1)
    assert not await settle_as(outbox, earlier, Finding.ADOPT, "1")
    assert not await settle_as(outbox, earlier, Finding.SEND_AGAIN)
    await outbox.queue(GRACE)
    await outbox.send()
    [other_id] = {row.provider_id for row in await outbox.fetch("SELECT * FROM provider_messages")}
    assert not await settle_as(outbox, text, Finding.ADOPT, other_id)
    assert await outbox.status(number) == "uncertain"
    assert await settle_as(outbox, text, Finding.ADOPT, "1")
    assert not await settle_as(outbox, text, Finding.SEND_AGAIN)
    assert await outbox.status(number) == "sent"


async def settle_as(outbox: Outbox, text: UncertainText, finding: Finding, *ids: str) -> bool:
    settle = partial(resolve_uncertain, proof_seconds=PROOF)
    return await outbox.database.write(settle, text, finding, ids, outbox.now())


async def test_a_long_text_is_adopted_with_all_its_parts(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=True, body="x" * 400)
    assert await settle_after(outbox, 5) == 1
    assert len(await outbox.ids(number)) == 3


async def test_an_absent_text_goes_out_after_two_proofs(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False)
    await send_later(outbox)
    assert await settle_after(outbox, 5, *[60] * 9) == 0
    assert await outbox.send() == 0
    assert await settle_after(outbox, 60, 60) == 1
    assert await outbox.status(number) == "queued"
    await outbox.send()
    row = await outbox.row(number)
    assert (row.status, row.attempts) == ("sent", 2)
    assert sorted(outbox.taken()) == [(ADA, "Hello"), (GRACE, "Hello")]


async def test_the_next_texts_are_evidence_however_many_went_out_since(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.outbound.sending.uncertain.EVIDENCE_TEXTS", 20)
    await outbox.queue_alone([GRACE] * 4)
    await outbox.send()
    outbox.pass_seconds(1)
    number = await queue_uncertain(outbox, taken=False)
    outbox.pass_seconds(1)
    await outbox.queue_alone([GRACE] * 24)
    await outbox.send()
    found = await outbox.database.read(list_uncertain, outbox.now() + timedelta(minutes=1), limit=9)
    assert [each.id for each in found] == [number]
    evidence = await outbox.database.read(list_evidence, found)
    # The next two of the twenty-four, and the newest twenty.
    assert len(evidence) == 22


async def test_without_a_later_text_no_absence_is_proved(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False)
    assert await settle_after(outbox, 5, *[300] * 5) == 0
    assert await outbox.status(number) == "uncertain"
    assert await outbox.alerts() == []
    await settle_after(outbox, 300, 300)
    assert await outbox.alerts() == ["uncertain"]


async def test_a_report_that_lags_proves_nothing(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=True)
    outbox.world.switches = outbox.world.switches.changed({"report_lag_seconds": 7200})
    await send_later(outbox)
    assert await settle_after(outbox, 5, *[300] * 10) == 0
    assert await outbox.status(number) == "uncertain"


async def test_a_text_taken_long_after_the_call_was_given_up_is_adopted(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False)
    await send_later(outbox)
    await settle_after(outbox, 5, 60)
    assert (await outbox.row(number)).absent_since is not None
    outbox.world.faults.clear()
    await outbox.client.send(OutgoingText(OURS, "Hello"), ADA)
    assert await settle_after(outbox, 600) == 1
    assert await outbox.status(number) == "sent"
    assert len(outbox.taken()) == 2


async def test_two_rows_that_look_alike_are_a_persons_to_tell_apart(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=True)
    await outbox.client.send(OutgoingText(OURS, "From elsewhere"), ADA)
    await send_later(outbox)
    assert await settle_after(outbox, 5, *[300] * 7) == 0
    assert await outbox.status(number) == "uncertain"
    assert await outbox.alerts() == ["uncertain"]


async def test_an_unknown_text_from_another_source_forbids_the_proof(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False)
    await outbox.client.send(OutgoingText("447700900002", "From elsewhere"), ADA)
    await send_later(outbox)
    assert await settle_after(outbox, 5, *[300] * 10) == 0
    assert await outbox.status(number) == "uncertain"


async def test_a_doubt_takes_the_first_proof_back(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False)
    await send_later(outbox)
    await settle_after(outbox, 5)
    assert (await outbox.row(number)).absent_since is not None
    await outbox.client.send(OutgoingText("447700900002", "From elsewhere"), ADA)
    await settle_after(outbox, 60)
    assert (await outbox.row(number)).absent_since is None


async def test_the_row_of_a_lists_recipient_is_not_taken_for_the_text(outbox: Outbox) -> None:
    await outbox.queue(None, list_name="people")
    await outbox.send()
    number = await queue_uncertain(outbox, taken=False)
    assert await settle_after(outbox, 5) == 0
    assert await outbox.status(number) == "uncertain"
    outbox.pass_seconds(10)
    await outbox.check()  # the ids of all recipients are known from here on
    await outbox.check()
    await send_later(outbox)
    assert await settle_after(outbox, 60, *[300] * 4) == 1
    assert await outbox.status(number) == "queued"


async def test_a_call_whose_text_was_sent_again_leaves_a_row_that_nobody_adopts(
    outbox: Outbox,
) -> None:
    first = await queue_uncertain(outbox, taken=True)
    again, now = OutboundEvent.RESENT_BY_HAND, outbox.now()
    await outbox.database.write(resolve_by_hand, first, again, None, "Anna", now)
    await outbox.send()
    number = await queue_uncertain(outbox, taken=False)
    assert await settle_after(outbox, 5, 60) == 0
    assert await outbox.status(number) == "uncertain"


async def test_a_report_that_breaks_off_proves_nothing(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False)
    await send_later(outbox)
    await settle_after(outbox, 5)
    for _ in range(3):
        outbox.strike("html", action="Report")
        assert await settle_after(outbox, 700) == 0
        assert await find_wait(outbox, number) == timedelta(seconds=60)
    assert await outbox.status(number) == "uncertain"


async def test_a_time_in_the_hour_that_autumn_repeats_keeps_no_text_from_being_adopted(
    outbox: Outbox,
) -> None:
    second_half_past_one = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    outbox.pass_seconds((second_half_past_one - outbox.now()).total_seconds())
    number = await queue_uncertain(outbox, taken=True)
    # The report's 01:30 may be an hour earlier, when nobody had called yet.
    assert await settle_after(outbox, 5) == 1
    assert await outbox.status(number) == "sent"


async def test_an_uncertain_list_is_a_persons_at_once(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False, to=None, list_name="people")
    await send_later(outbox)
    assert await settle_after(outbox, 5, *[300] * 5) == 0
    assert await outbox.status(number) == "uncertain"
    assert await outbox.alerts() == ["uncertain"]


@pytest.mark.parametrize(
    ("event", "provider_id", "told", "status"),
    [
        (OutboundEvent.SENT_BY_HAND, None, ("sent", True, "sent"), "sent"),
        (OutboundEvent.SENT_BY_HAND, "3509592", ("sent", False, "sent"), "delivered"),
        (OutboundEvent.RESENT_BY_HAND, None, ("queued", False, None), "delivered"),
        (OutboundEvent.FAILED_BY_HAND, None, ("failed", True, "failed"), "failed"),
    ],
)
async def test_a_person_settles_it(
    outbox: Outbox,
    event: OutboundEvent,
    provider_id: str | None,
    told: tuple[str, bool, str | None],
    status: str,
) -> None:
    number = await queue_uncertain(outbox, taken=provider_id is not None)
    for _ in range(7):
        outbox.pass_seconds(300)
        if provider_id is None:
            await outbox.settle(proof_seconds=PROOF)
    now = outbox.now()
    await outbox.database.write(resolve_by_hand, number, event, provider_id, "Anna", now)
    assert await outbox.alerts() == []
    row = await outbox.row(number)
    is_settled, counted = row.settled_at is not None, await outbox.fetch(COUNTED)
    assert (row.status, is_settled, [tuple(each) for each in counted]) == (
        *told[:2],
        [(told[2], 1)] if told[2] else [],
    )
    assert (row.settled_reason is None) is not is_settled
    assert (row.sent_at is None) is (told[0] != "sent")
    assert (row.check_at is None) is (provider_id is None)
    destinations = await outbox.fetch("SELECT destination FROM provider_messages")
    assert destinations == ([(ADA,)] if provider_id else [])
    await outbox.send()
    outbox.pass_seconds(10)
    await outbox.check()
    assert await outbox.status(number) == status
    with pytest.raises(Conflict):
        await outbox.database.write(resolve_by_hand, number, event, None, "Anna", now)
    # Who was about to ask a person comes too late.
    await outbox.database.write(ask_person, number, now)
    await outbox.database.write(ask_person, number + 1, now)
    assert await outbox.alerts() == []


async def test_after_thirty_hours_no_report_is_asked(outbox: Outbox) -> None:
    number = await queue_uncertain(outbox, taken=False)
    await settle_after(outbox, 5, 29 * 3600)
    assert (await outbox.row(number)).check_at is not None
    await settle_after(outbox, 2 * 3600)
    row = await outbox.row(number)
    assert (row.status, row.check_at) == ("uncertain", None)
    assert await outbox.alerts() == ["uncertain"]


async def test_no_text_is_given_another_texts_id(outbox: Outbox) -> None:
    await outbox.queue(GRACE)
    await outbox.send()
    number = await queue_uncertain(outbox, taken=False)
    with pytest.raises(Conflict, match="another text"):
        await outbox.database.write(
            resolve_by_hand,
            number,
            OutboundEvent.SENT_BY_HAND,
            "3509592",
            "Anna",
            outbox.now(),
        )
