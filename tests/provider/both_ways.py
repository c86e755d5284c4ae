"""Calls that send a text or read a report, and what their failures prove."""

from collections.abc import Awaitable, Callable

import pytest

from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import ErrorClass, SendOutcome
from app.domain.provider_errors import ProviderError, Unreachable
from app.provider.client import ProviderClient
from app.provider.exchange import Timeouts

HELLO = OutgoingText("API", "Hello World")
ONE = "447700900001"
IN_HASTE = Timeouts(connect=0.5, write=0.5, read=0.5, total=5)


async def send(client: ProviderClient) -> object:
    return await client.send(HELLO, ONE)


async def open_report(client: ProviderClient) -> object:
    async with client.open_report("Outbox") as table:
        return [row async for row in table]


Call = Callable[[ProviderClient], Awaitable[object]]
both_ways = pytest.mark.parametrize("call", [send, open_report])


def assert_not_taken(error: ProviderError) -> None:
    assert type(error) is Unreachable
    assert (error.error_class, error.outcome) == (ErrorClass.PASSING, SendOutcome.NOT_TAKEN)


def assert_unknown(error: ProviderError) -> None:
    assert (error.error_class, error.outcome) == (ErrorClass.AMBIGUOUS, SendOutcome.UNKNOWN)
