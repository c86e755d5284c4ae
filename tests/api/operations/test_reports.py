"""The provider's reports through this interface, with the simulated provider behind it."""

import csv
import io
from dataclasses import replace

import pytest

from tests.api.both import HELLO, SPAN, Both
from tests.support.simulated import (
    ADA,
    OUR_NUMBER,
)


async def test_a_report_is_json_under_its_own_headings(both: Both) -> None:
    sent = await both.provider.client.send(HELLO, ADA)
    [row] = (await both.ask("GET", "/reports/Messages", 200, params=SPAN))["items"]
    assert (row["MessageID"], row["Destination"], row["Status"]) == (sent[0], ADA, "Pending")


async def test_a_report_is_csv_where_that_is_asked_for(both: Both) -> None:
    simulator = both.provider.app.simulator
    await simulator.receive_text(ADA, OUR_NUMBER, '=1+1, "quoted"\nand on')
    answer = await both.api.get(
        "/reports/InboundMessages", params=SPAN, headers={"Accept": "text/csv"}
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="InboundMessages-2026-06-01.csv"' in answer.headers["content-disposition"]
    headings, row = csv.reader(io.StringIO(answer.text, newline=""))
    assert headings == ["MessageID", "From", "Number", "Message", "Received Date", "Status"]
    assert row[1:4] == [ADA, OUR_NUMBER, '\'=1+1, "quoted"\nand on']


async def test_the_outbox_needs_no_dates(both: Both) -> None:
    assert await both.ask("GET", "/reports/outbox", 200) == {"items": []}


async def test_a_type_that_the_page_does_not_list_passes_through(both: Both) -> None:
    shown = await both.ask("GET", "/reports/MessagesWithBodies", 200, params=SPAN)
    assert shown == {"items": []}
    problem = await both.ask("GET", "/reports/NoSuch", 422, params=SPAN)
    assert (problem["code"], problem["text"]) == (-601, "Unknown Report Type")


async def test_a_long_report_comes_whole(both: Both) -> None:
    both.provider.throw(filler_rows=1000)
    shown = await both.ask("GET", "/reports/Messages", 200, params=SPAN)
    assert len(shown["items"]) == 1000


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("/reports/Messages", {}, "from, to"),
        ("/reports/Messages", {"from": "2026-06-01T00:00:00Z"}, "to"),
        ("/reports/Outbox", {"to": "2026-06-01T00:00:00Z"}, "from"),
        ("/reports/Messages", {"from": SPAN["to"], "to": SPAN["from"]}, "to"),
        ("/reports/Messages", {**SPAN, "from": "yesterday"}, "from"),
        ("/reports/Messages", {**SPAN, "from": "0001-01-01T00:00:00Z"}, "from"),
        ("/reports/Messages", {**SPAN, "to": "9999-12-31T23:59:59.5Z"}, "to"),
        ("/reports/Messages", {**SPAN, "colour": "red"}, "colour"),
        ("/reports/a%20b", SPAN, "type"),
    ],
)
async def test_what_is_off_about_a_report_is_named(
    both: Both, path: str, parameters: dict[str, str], field: str
) -> None:
    problem = await both.ask("GET", path, 422, params=parameters)
    assert ", ".join(each["field"] for each in problem["errors"]) == field


async def test_reports_beyond_those_that_may_be_read_at_once_are_429(both: Both) -> None:
    exchange = both.provider.client._exchange
    for _ in range(2):
        await exchange._handed_on.acquire()
    exchange._timeouts = replace(exchange._timeouts, connect=0.05)
    answer = await both.api.call("GET", "/reports/Outbox")
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-requests")
    assert answer.headers["retry-after"] == "60"
