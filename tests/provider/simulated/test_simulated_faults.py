"""Every fault of the wire over sockets: what the client makes of it, and whether it was taken."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.provider_errors import (
    AmbiguousError,
    CallBroken,
    EmptyAnswer,
    HtmlAnswer,
    ProviderError,
    StatusAnswer,
    UnreadableAnswer,
)
from app.provider.exchange import Timeouts
from app.provider.reports import read_messages
from app.simulator.actions.magic import FAULT_NUMBERS
from app.simulator.state.faults import Fault, FaultKind
from tests.support.simulated import (
    ADA,
    LONDON,
    OUR_NUMBER,
    START,
    Simulated,
    simulated_over_sockets,
)

HELLO = OutgoingText(source=OUR_NUMBER, body="Hello")
IMPATIENT = Timeouts(read=0.15)

ERRORS: dict[FaultKind, type[ProviderError]] = {
    "slow": CallBroken,
    "silence": CallBroken,
    "reset": CallBroken,
    "cut": CallBroken,
    "status": StatusAnswer,
    "html": HtmlAnswer,
    "empty": EmptyAnswer,
    "code": AmbiguousError,
}


@pytest.fixture
async def provider() -> AsyncIterator[Simulated]:
    async with simulated_over_sockets(timeouts=IMPATIENT) as simulated:
        yield simulated


@pytest.mark.parametrize("number", FAULT_NUMBERS)
async def test_a_send_that_goes_wrong_is_of_unknown_outcome(
    provider: Simulated, number: str
) -> None:
    fault = FAULT_NUMBERS[number]
    with pytest.raises(ERRORS[fault.kind]) as caught:
        await provider.client.send(HELLO, number)
    assert caught.value.outcome is SendOutcome.UNKNOWN
    assert provider.list_taken() == ([number] if fault.taken else [])
    assert await provider.client.send(HELLO, ADA)


async def test_every_kind_of_fault_is_tried() -> None:
    assert {fault.kind for fault in FAULT_NUMBERS.values()} == set(ERRORS)


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if kind not in {"cut", "code", "empty"}])
async def test_a_report_that_goes_wrong_is_an_error_and_the_next_one_is_well(
    provider: Simulated, kind: FaultKind
) -> None:
    await provider.client.send(HELLO, ADA)
    status = 200 if kind == "html" else 500
    fault = Fault(kind=kind, action="Report", times=1, status=status, seconds=1)
    provider.app.simulator.world.faults.add(fault)
    with pytest.raises(ERRORS[kind]):
        await read_ids(provider)
    assert len(await read_ids(provider)) == 1


async def test_a_report_that_is_cut_never_passes_for_a_whole_one(provider: Simulated) -> None:
    provider.throw(filler_rows=200)
    provider.app.simulator.world.faults.add(Fault(kind="cut", action="Report", times=1))
    with pytest.raises((CallBroken, UnreadableAnswer)):
        await read_ids(provider)


async def test_a_slow_answer_in_time_is_an_answer(provider: Simulated) -> None:
    provider.app.simulator.world.faults.add(Fault(kind="slow", seconds=0.05, times=1))
    assert await provider.client.send(HELLO, ADA)


@pytest.mark.parametrize("lag", [0.0, 30.0])
async def test_a_report_that_lags_shows_the_message_later(provider: Simulated, lag: float) -> None:
    provider.throw(report_lag_seconds=lag)
    provider.pass_seconds(60)
    [message_id] = await provider.client.send(HELLO, ADA)
    assert await read_ids(provider) == ([] if lag else [message_id])
    provider.pass_seconds(lag)
    assert await read_ids(provider) == [message_id]


async def test_a_refusal_in_another_status_is_no_answer() -> None:
    async with simulated_over_sockets(error_status=500) as provider:
        with pytest.raises(StatusAnswer) as caught:
            await provider.client.send(HELLO, "447700900412")
        assert caught.value.outcome is SendOutcome.UNKNOWN


async def read_ids(provider: Simulated) -> list[str]:
    since, until = START - timedelta(hours=1), START + timedelta(hours=1)
    async with provider.client.open_report("Messages", since=since, until=until) as table:
        return [row.message_id async for row in read_messages(table, LONDON)]
