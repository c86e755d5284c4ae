"""What becomes of each number when one call has many."""

from collections import Counter
from typing import Any

import httpx2
import pytest

from app.domain.outbound.transitions import OutboundEvent
from app.storage.outbound.sending.resolving import resolve_by_hand
from app.storage.outbound.sending.sender import get_sender
from app.storage.rules.opt_outs import find_opted_out
from tests.flows.outbound.sending.crowd import CROWD, FEW, answer
from tests.support.outbox import ADA, GRACE, Outbox, run_dry


async def test_each_number_has_its_own_end(outbox: Outbox) -> None:
    codes = {"447700900401": "failed", "447700900412": "failed", "447700900411": "held"}
    ids = await outbox.queue_many([ADA, *codes, GRACE])
    assert await outbox.send() == 1
    assert await outbox.statuses(ids) == ["sent", *codes.values(), "sent"]
    rows = [await outbox.row(each) for each in ids]
    assert [row.error_code for row in rows] == [None, "-401", "-412", "-411", None]
    assert [row.held_reason for row in rows] == [None, None, None, "daily-limit", None]
    out = await outbox.database.read(find_opted_out, [ADA, *codes, GRACE])
    assert out == {"447700900412"}


async def test_numbers_over_their_daily_limit_go_together_the_next_day(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)
    await outbox.send_to(answer("11,-411,13,-411,-411"))
    assert await outbox.statuses(ids) == ["sent", "held", "sent", "held", "held"]
    outbox.pass_seconds(11 * 3600)
    assert await outbox.send() == 1
    assert outbox.sends() == [[FEW[1], FEW[3], FEW[4]]]


async def test_credits_for_some_numbers_hold_the_others(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)
    await outbox.send_to(answer("11,12,-100,-100,-100"))
    assert await outbox.statuses(ids) == ["sent", "sent", "held", "held", "held"]
    assert (await outbox.database.read(get_sender)).state == "stopped"
    assert await outbox.alerts() == ["sender-stopped"]
    outbox.pass_seconds(61)
    assert await outbox.send() == 2  # one number tries, and then the rest follow
    assert sorted(map(len, outbox.sends())) == [1, 2]
    assert await outbox.alerts() == []


async def test_a_lone_account_code_holds_all(outbox: Outbox) -> None:
    ids = await outbox.queue_many(CROWD)
    outbox.strike("code", taken=False, code=-501, times=2)
    await outbox.send()
    assert set(await outbox.statuses(ids)) == {"held"}
    assert await outbox.alerts() == ["sender-stopped"]
    outbox.pass_seconds(61)
    assert await outbox.send() == 1
    assert len(outbox.sends()[-1]) == 1
    outbox.pass_seconds(61)
    assert await outbox.send() == 2
    assert sorted(outbox.taken()) == [(number, "Hello") for number in CROWD]


@pytest.mark.parametrize("code", [-404, -402, -407, -506, -999])
@pytest.mark.alike
async def test_a_lone_code_about_the_text_fails_all(outbox: Outbox, code: int) -> None:
    ids = await outbox.queue_many(FEW)
    outbox.strike("code", taken=False, code=code)
    assert await outbox.send() == 1
    assert await outbox.statuses(ids) == ["failed"] * 5
    assert (await outbox.row(ids[4])).error_code == str(code)


@pytest.mark.parametrize("code", [-401, -406, -411, -412])
@pytest.mark.alike
async def test_a_lone_code_about_a_number_has_each_tried_alone(outbox: Outbox, code: int) -> None:
    """It does not say which number it speaks of: the others are neither failed nor opted out."""
    ids = await outbox.queue_many(FEW)
    outbox.strike("code", taken=False, code=code)
    outbox.strike("code", taken=False, code=code, destination=FEW[2])
    assert await outbox.send() == 6
    assert [len(each) for each in outbox.sends()] == [5, 1, 1, 1, 1, 1]
    last = "held" if code == -411 else "failed"
    assert await outbox.statuses(ids) == ["sent", "sent", last, "sent", "sent"]
    assert len(outbox.taken()) == 4
    out = await outbox.database.read(find_opted_out, FEW)
    assert out == ({FEW[2]} if code == -412 else set())


async def test_maintenance_has_all_tried_again_together(outbox: Outbox) -> None:
    ids = await outbox.queue_many(CROWD)
    for seconds in (3, 5):
        outbox.strike("code", taken=False, code=-511)
        assert await outbox.send() == 1
        assert set(await outbox.statuses(ids)) == {"queued"}
        outbox.pass_seconds(seconds)
    assert await outbox.send() == 1
    assert outbox.sends() == [CROWD] * 3
    assert len(outbox.taken()) == len(CROWD)


UNKNOWN: list[dict[str, Any]] = [
    {"kind": "reset"},
    {"kind": "reset", "taken": False},
    {"kind": "cut"},
    {"kind": "status", "status": 500},
    {"kind": "html", "status": 200},
    {"kind": "empty"},
    {"kind": "code", "code": -300},
    {"kind": "code", "code": -400},
]


@pytest.mark.parametrize("fault", UNKNOWN, ids=str)
async def test_an_unknown_outcome_is_each_numbers_own(
    outbox: Outbox, fault: dict[str, Any]
) -> None:
    ids = await outbox.queue_many(FEW)
    outbox.strike(**fault)
    assert await outbox.send() == 1
    assert await outbox.statuses(ids) == ["uncertain"] * 5
    outbox.pass_seconds(86400)
    assert await outbox.send() == 0
    by_hand, now = OutboundEvent.FAILED_BY_HAND, outbox.now()
    await outbox.database.write(resolve_by_hand, ids[0], by_hand, None, "Anna", now)
    assert await outbox.statuses(ids) == ["failed", *["uncertain"] * 4]


async def test_what_was_taken_of_an_unknown_call_is_adopted_one_by_one(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)
    outbox.strike("reset")
    await outbox.send()
    # The provider took three of them.
    outbox.world.outgoing.texts[1].gone = outbox.world.outgoing.texts[3].gone = True
    outbox.pass_seconds(5)
    assert await outbox.settle() == 3
    assert await outbox.statuses(ids) == ["sent", "uncertain", "sent", "uncertain", "sent"]
    for _ in range(2):
        outbox.pass_seconds(1)
        await outbox.queue(GRACE)  # the report reaches as far as this
        await outbox.send()
        outbox.pass_seconds(601)
        await outbox.settle()
    assert await outbox.statuses(ids) == ["sent", "queued", "sent", "queued", "sent"]
    await outbox.send()
    assert outbox.sends()[-1] == [FEW[1], FEW[3]]
    assert await outbox.statuses(ids) == ["sent"] * 5


@pytest.mark.parametrize("text", ["11,12,13,14", "11,12,13,14,15,16", "11,-401", "-401,-401"])
@pytest.mark.alike
async def test_another_count_of_answers_leaves_all_uncertain(outbox: Outbox, text: str) -> None:
    ids = await outbox.queue_many(FEW)
    await outbox.send_to(answer(text))
    assert await outbox.statuses(ids) == ["uncertain"] * 5
    [(told,)] = await outbox.fetch("SELECT DISTINCT answer FROM send_attempts")
    assert told.endswith(text.replace(",", ", "))
    assert [await outbox.ids(each) for each in ids] == [[]] * 5


async def test_where_answers_are_miscounted_no_further_call_has_many_numbers(
    outbox: Outbox,
) -> None:
    ids = await outbox.queue_many(CROWD)

    seen: list[httpx2.Request] = []

    def miscount(request: httpx2.Request) -> httpx2.Response:
        many = b"%2C" in request.content
        ids = "1,2,3" if many else f"9{len(seen)}"
        seen.append(request)
        return httpx2.Response(200, text=ids if b"Action=Send" in request.content else "1000")

    sender = outbox.make_sender(batch=20)
    sender.client = outbox.make_client(miscount)
    for _ in range(8):
        await run_dry(sender, outbox.make_watcher(sender.client).probe)
        outbox.pass_seconds(61)
    assert Counter(await outbox.statuses(ids)) == {"uncertain": 20, "sent": 40}


async def test_what_can_be_attributed_of_an_odd_answer_is(outbox: Outbox) -> None:
    ids = await outbox.queue_many(FEW)
    await outbox.send_to(answer("11,11,oops,-401,15"))
    assert await outbox.statuses(ids) == ["uncertain", "uncertain", "uncertain", "failed", "sent"]
    assert [await outbox.ids(each) for each in ids] == [[], [], [], [], ["15"]]


async def test_a_number_without_sense_among_many_stops_nothing(outbox: Outbox) -> None:
    await outbox.queue_many(FEW)
    ids = await outbox.queue_many(CROWD[5:9])
    await outbox.send_to(
        lambda request: answer(
            "11,oops,13,14,15" if FEW[0].encode() in request.content else "21,22,23,24"
        )(request)
    )
    assert (await outbox.database.read(get_sender)).state == "running"
    assert await outbox.statuses(ids) == ["sent"] * 4
