"""How handling and receiving share a process."""

import asyncio
from time import monotonic

import pytest

from app.flows.inbound.fair_share import (
    ALONE_SECONDS,
    BUSY_SECONDS,
    LEAST_ROWS,
    MOST_ROWS,
    FairShare,
)

A_MESSAGE = 0.0001


def settle(share: FairShare, seconds_each: float = A_MESSAGE) -> int:
    for _ in range(10):
        share.note(share.rows, share.rows * seconds_each)
    return share.rows


def test_a_batch_is_as_large_as_fits_into_its_time() -> None:
    share = FairShare("sqlite")
    assert settle(share) == pytest.approx(ALONE_SECONDS / A_MESSAGE, abs=1)
    share.is_used = lambda: True
    assert settle(share) == pytest.approx(BUSY_SECONDS / A_MESSAGE, abs=1)


def test_a_batch_is_never_tiny_nor_huge() -> None:
    assert settle(FairShare("sqlite"), 1.0) == LEAST_ROWS
    assert settle(FairShare("postgresql"), A_MESSAGE / 100) == MOST_ROWS


def test_a_few_messages_say_nothing_about_the_next_batch() -> None:
    share = FairShare("sqlite", rows=100)
    share.note(1, 0.003)
    assert share.rows == 100


async def test_handling_rests_as_long_as_it_took_while_somebody_waits() -> None:
    began = monotonic()
    await FairShare("sqlite", is_waiting=lambda: True, computed=monotonic).rest(0.05)
    assert monotonic() - began >= 0.05


async def test_handling_goes_on_where_receiving_only_waits_for_the_disk() -> None:
    share = FairShare("sqlite", is_waiting=lambda: True, computed=lambda: monotonic() / 10)
    async with asyncio.timeout(10):
        await share.rest(3600.0)


async def test_handling_goes_on_once_nobody_waits() -> None:
    looks = iter([True, True, False])
    share = FairShare("sqlite", is_waiting=lambda: next(looks), computed=monotonic)
    async with asyncio.timeout(10):
        await share.rest(3600.0)
    assert not list(looks)
