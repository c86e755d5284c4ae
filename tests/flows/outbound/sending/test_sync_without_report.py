"""Checks while the provider's report fails or is useless: texts are asked about one by one."""

import httpx2
import pytest

from app.provider.client import ProviderClient
from tests.support.outbox import LONDON, TOKEN, Outbox
from tests.support.transports import TransportPool


async def test_a_report_that_fails_leaves_the_texts_for_later(outbox: Outbox) -> None:
    numbers = [await outbox.queue(f"4477009000{turn:02}") for turn in range(40)]
    await outbox.send()
    outbox.strike("status", action="Report")
    checker = outbox.make_checker()
    for _ in range(2):
        outbox.pass_seconds(5)
        await checker.check_due()
    counts = outbox.world.calls.counts
    assert (counts["Report"], counts["CheckMessageStatus"]) == (1, 80)
    assert {await outbox.status(each) for each in numbers} == {"delivered"}


def spoil_report(outbox: Outbox, body: str) -> None:
    """The Messages report is this from now on; all else is the simulated provider's."""
    app = httpx2.ASGITransport(outbox.simulator)

    class Spoiled(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if b"Action=Report" in request.content:
                outbox.world.calls.counts["Report"] += 1
                return httpx2.Response(200, text=body)
            return await app.handle_async_request(request)

    outbox.client = ProviderClient(
        TOKEN, url="http://provider.test/api", zone=LONDON, pool=TransportPool(Spoiled())
    )


USELESS_REPORTS = ["-601", "-601 Unknown Report Type", "A,B\n1,2\n", "<html>", '"A","B']


@pytest.mark.parametrize("body", USELESS_REPORTS)
@pytest.mark.alike
async def test_without_a_report_every_text_is_asked_about_in_its_turn(
    outbox: Outbox, body: str
) -> None:
    for source in range(3):
        numbers = [f"4477009000{turn:02}" for turn in range(80)]
        await outbox.queue_alone(numbers, source=f"44770090090{source}")
    for _ in range(3):
        await outbox.send()
        outbox.pass_seconds(0.2)
    spoil_report(outbox, body)
    checker = outbox.make_checker()
    outbox.pass_seconds(10)
    for _ in range(12):
        await checker.check_due()
        outbox.pass_seconds(2)
    assert await outbox.fetch("SELECT DISTINCT status FROM outbound") == [("delivered",)]
    counts = outbox.world.calls.counts
    assert counts["Report"] == 1
    assert counts["CheckMessageStatus"] <= 500
    if "<html>" not in body:
        assert await outbox.alerts() == ["statuses-cannot-be-followed"]
    await outbox.client.aclose()


async def test_a_report_that_works_again_ends_the_alert(outbox: Outbox) -> None:
    for turn in range(40):
        await outbox.queue(f"447700900{turn:03}")
    await outbox.send()
    working = outbox.client
    spoil_report(outbox, "-601")
    checker = outbox.make_checker()
    outbox.pass_seconds(5)
    await checker.check_due()
    assert await outbox.alerts() == ["statuses-cannot-be-followed"]
    await outbox.client.aclose()
    outbox.client = checker.client = working
    for turn in range(40, 80):
        await outbox.queue(f"447700900{turn:03}")
    await outbox.send()
    outbox.pass_seconds(61)
    await checker.check_due()
    assert await outbox.alerts() == []


async def test_where_no_call_gets_through_the_rest_waits_for_later(outbox: Outbox) -> None:
    for turn in range(9):
        await outbox.queue(f"447700900{turn:03}")
    await outbox.send()
    outbox.strike("code", action="CheckMessageStatus", code=-501, taken=False, times=100)
    checker = outbox.make_checker()
    outbox.pass_seconds(5)
    for _ in range(10):
        await checker.check_due()
        outbox.pass_seconds(2)
    assert outbox.world.calls.counts["CheckMessageStatus"] == 4
