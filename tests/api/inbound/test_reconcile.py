"""Comparing what arrived with the provider's report, by hand."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.both import SPAN, Both
from tests.support.simulated import (
    ADA,
    OUR_NUMBER,
    START,
)


async def test_a_text_that_was_never_forwarded_is_found_by_hand(both: Both) -> None:
    await both.provider.app.simulator.receive_text(ADA, OUR_NUMBER, "lost", 0)
    both.provider.pass_seconds(1200)
    both.api.clock.now = START + timedelta(seconds=1200)
    found = await both.ask("POST", "/reconcile", 200, json=SPAN)
    assert {name: found[name] for name in ("reported", "missing", "unreadable")} == {
        "reported": 1,
        "missing": 1,
        "unreadable": 0,
    }
    assert (await both.ask("POST", "/reconcile", 200))["missing"] == 0
    [message] = (await both.api.read("/messages"))["items"]
    assert (message["body"], message["via"]) == ("lost", "report")
    [counted] = (await both.api.read("/stats"))["items"]
    assert (counted["missing"], counted["delivery_rate"]) == (1, None)
    both.api.clock.now += timedelta(days=1)
    for odd in ({"from": "2025-01-01T00:00:00Z"}, {"from": "yesterday"}, {"since": "x"}):
        await both.ask("POST", "/reconcile", 422, json=odd)


@pytest.mark.parametrize(
    ("body", "hours"),
    [
        (None, (24, 0)),
        ({}, (24, 0)),
        ({"from": None, "to": None}, (24, 0)),
        ({"to": "2026-06-01T06:00:00Z"}, (30, 6)),
        ({"from": "2026-05-30T12:00:00+0000"}, (48, 0)),
        ({"from": "2026-05-01T12:00:00Z", "to": "2026-05-02T12:00:00Z"}, (744, 720)),
    ],
)
async def test_a_comparison_covers_a_day_where_nothing_else_is_said(
    both: Both, body: dict[str, Any] | None, hours: tuple[int, int]
) -> None:
    both.api.clock.now = START
    shown = await both.ask("POST", "/reconcile", 200, json=body)
    begin, end = (START - timedelta(hours=each) for each in hours)
    # The report may not show the newest texts yet.
    end = min(end, START - timedelta(minutes=10))
    assert (shown["from"], shown["to"]) == tuple(
        each.isoformat(timespec="microseconds").replace("+00:00", "Z") for each in (begin, end)
    )


@pytest.mark.parametrize("body", [{"since": "2026-06-01T00:00:00Z"}, {"from": 1780000000}])
async def test_a_period_has_no_other_names_and_no_other_types(
    both: Both, body: dict[str, Any]
) -> None:
    await both.ask("POST", "/reconcile", 422, json=body)


@pytest.mark.parametrize(
    "body",
    [
        {"to": "0001-01-01T00:00:00Z"},
        {"to": "0001-01-01T23:00:00Z"},
        {"to": "9999-12-31T23:59:59Z"},
        {"from": "9999-12-20T00:00:00Z", "to": "9999-12-20T00:00:00Z"},
        {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"},
    ],
)
async def test_a_period_that_nothing_can_be_compared_for_is_the_callers_mistake(
    both: Both, body: dict[str, Any]
) -> None:
    problem = await both.ask("POST", "/reconcile", 422, json=body)
    assert [each["code"] for each in problem["errors"]] == ["out-of-range"]
