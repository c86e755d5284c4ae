"""What programs ask of the provider through this interface, with the simulated one behind it."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.outbound.requests import OutgoingText
from app.simulator.actions.codes import ERROR_TEXTS
from app.simulator.state.faults import Fault
from tests.api.running import Running, running
from tests.support.simulated import (
    ADA,
    GRACE,
    OUR_NUMBER,
    START,
    TOKEN,
    Simulated,
    simulated_in_process,
)

CSV = {"Content-Type": "text/csv"}
OCTETS = "application/octet-stream"
SPAN = {"from": "2026-06-01T00:00:00Z", "to": "2026-06-02T00:00:00Z"}
HELLO = OutgoingText(source=OUR_NUMBER, body="Hello")


@dataclass
class Both:
    """The application and the provider behind it."""

    api: Running
    provider: Simulated

    async def ask(self, method: str, path: str, status: int, **options: Any) -> Any:
        answer = await self.api.call(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def import_csv(self, text: str, **parameters: str) -> list[tuple[int, str, str]]:
        shown = await self.ask(
            "POST", "/contacts", 200, content=text.encode(), headers=CSV, params=parameters
        )
        return [(each["line"], each["result"], each["detail"]) for each in shown["items"]]


@pytest.fixture
async def both(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Both]:
    async with (
        simulated_in_process() as provider,
        running(sqlite_url, tmp_path, provider=provider.client) as api,
    ):
        yield Both(api, provider)


async def test_credits_are_a_decimal_text(both: Both) -> None:
    assert await both.ask("GET", "/credits", 200) == {"credits": "1000.00"}


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
        ("/reports/Messages", {}, "from"),
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
    assert [each["field"] for each in problem["errors"]] == [field]


async def test_contacts_are_imported_line_by_line_and_listed(both: Both) -> None:
    text = f"\ufeffAda,{ADA},ada@example.com,friends,people\r\n\r\n,{GRACE},\r\nTim,mine,,friends"
    assert await both.import_csv(text) == [
        (1, "Success", ""),
        (3, "Failed", "No name"),
        (4, "Failed", "Invalid number (mine)"),
    ]
    shown = await both.ask("GET", "/contacts", 200)
    assert shown["headings"] == ["Name", "Number", "Email", "Groups"]
    [contact] = shown["items"]
    assert (contact["name"], contact["number"], contact["email"]) == ("Ada", ADA, "ada@example.com")
    groups = await both.ask("GET", "/groups", 200)
    assert [each["name"] for each in groups["items"]] == ["friends", "people"]


async def test_duplicates_are_refused_ignored_or_overwritten(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},")
    assert await both.import_csv(f"Ada,{GRACE},\nEve,{ADA},") == [
        (1, "Duplicate Name", ""),
        (2, "Duplicate Number", ""),
    ]
    await both.import_csv(f"Eve,{ADA},", overwrite_duplicates="true")
    await both.import_csv(f"Eve,{GRACE},", ignore_duplicates="true")
    shown = await both.ask("GET", "/contacts", 200)
    assert [(each["name"], each["number"]) for each in shown["items"]] == [
        ("Eve", ADA),
        ("Eve", GRACE),
    ]


@pytest.mark.parametrize(
    ("content", "headers", "hint"),
    [
        (b"", CSV, "there is no contact"),
        (b"Ada,1,\nZo\xeb,2,", CSV, "line 2 is not UTF-8"),
        (b'Ada,"1', CSV, "line 1 is no CSV"),
        (b'"A\nda",1,', CSV, "line 2 ends a cell with a line break"),
        (b"A\0da,1,", CSV, "NUL"),
    ],
)
async def test_a_csv_that_is_none_is_refused_before_any_call(
    both: Both, content: bytes, headers: dict[str, str], hint: str
) -> None:
    problem = await both.ask("POST", "/contacts", 422, content=content, headers=headers)
    assert hint in problem["detail"]
    assert both.provider.app.simulator.world.calls.counts == {}


async def test_a_csv_may_come_as_bytes_from_clients_that_know_no_csv(both: Both) -> None:
    sent = {"content": f"Ada,{ADA},\n".encode(), "headers": {"Content-Type": OCTETS}}
    [line] = (await both.ask("POST", "/contacts", 200, **sent))["items"]
    assert line["result"] == "Success"
    for headers in ({"Content-Type": "application/json"}, {}):
        problem = await both.ask("POST", "/contacts", 415, content=b"Ada,1,\n", headers=headers)
        assert "text/csv" in problem["detail"]


async def test_everything_is_deleted_only_with_a_word_for_it(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,friends")
    for path in ("/contacts", "/groups"):
        for parameters in ({}, {"confirm": "yes"}):
            problem = await both.ask("DELETE", path, 422, params=parameters)
            assert [each["field"] for each in problem["errors"]] == ["confirm"]
        assert (await both.ask("GET", path, 200))["items"] != []
    for path in ("/groups", "/contacts"):
        await both.ask("DELETE", path, 204, params={"confirm": "all"})
        assert (await both.ask("GET", path, 200))["items"] == []


async def test_a_group_is_emptied_and_deleted_whatever_its_name(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,old/new friends")
    await both.ask("POST", "/groups/old%2Fnew%20friends/empty", 204)
    [group] = (await both.ask("GET", "/groups", 200))["items"]
    assert group["fields"] == ["old/new friends", "0"]
    await both.ask("DELETE", "/groups/old%2Fnew%20friends", 204)
    problem = await both.ask("DELETE", "/groups/old%2Fnew%20friends", 404)
    assert (problem["type"], problem["code"]) == ("/problems/not-found", -520)


async def test_to_empty_a_group_by_delete_asks_the_provider_for_nothing(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,x")
    calls = both.provider.app.simulator.world.calls.counts.copy()
    for path in ("/groups/x/empty", "/groups/a/b/empty", "/groups/x%2Fempty"):
        answer = await both.api.call("DELETE", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")
    answer = await both.api.call("POST", "/groups/x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, OPTIONS")
    assert both.provider.app.simulator.world.calls.counts == calls


async def test_a_user_is_created_and_given_credits(both: Both) -> None:
    user = {"username": "desk", "password": "s3cret-word", "first_name": "A", "last_name": "B"}
    user |= {"email": "desk@example.com", "credits": "12.50"}
    assert await both.ask("POST", "/users", 201, json=user) == {"username": "desk"}
    await both.ask("POST", "/users/desk/credits", 204, json={"quantity": "-2.25"})
    assert await both.ask("GET", "/credits", 200) == {"credits": "989.75"}
    problem = await both.ask("POST", "/users", 422, json=user | {"email": "nowhere"})
    assert problem["code"] == -508
    assert "Username is already in use" in problem["details"]
    assert "s3cret-word" not in str(problem)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/users", {"username": "desk"}, "password"),
        ("/users/child/credits", {"quantity": "many"}, "quantity"),
        ("/users/child/credits", {"quantity": "NaN"}, "quantity"),
        ("/users/child/credits", {"quantity": 0}, "quantity"),
        ("/users/child/credits", {"quantity": 1, "colour": "red"}, "colour"),
    ],
)
async def test_what_is_off_about_a_user_is_named(
    both: Both, path: str, body: dict[str, Any], field: str
) -> None:
    problem = await both.ask("POST", path, 422, json=body)
    assert field in [each["field"] for each in problem["errors"]]


def expect(code: int) -> tuple[int, str]:
    """Which status and kind of problem a code of the provider becomes."""
    if code in {-100, -501, -512, -513, -514, -515}:
        return 503, "provider-account"
    if code == -511:
        return 503, "provider-unavailable"
    if code in {-300, -301, -302, -400}:
        return 502, "provider-unclear"
    if code in {-503, -509, -520, -521}:
        return 404, "not-found"
    if code == -522:
        return 409, "not-finished"
    return 422, "provider-refused"


async def test_every_code_of_the_provider_is_a_problem_with_code_and_text(both: Both) -> None:
    for code, text in ERROR_TEXTS.items():
        answer = await both.api.call("DELETE", f"/groups/447700900{-code}")
        problem = answer.json()
        slug = problem["type"].removeprefix("/problems/")
        assert (answer.status_code, slug) == expect(code), code
        assert (problem["code"], problem["text"]) == (code, text)
        assert problem["status"] == answer.status_code
        assert ("retry-after" in answer.headers) == (code in {-511, -522})


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=500),
        Fault(kind="html", status=200),
        Fault(kind="reset"),
    ],
    ids=lambda fault: fault.kind,
)
async def test_an_answer_that_is_none_is_unclear(both: Both, fault: Fault) -> None:
    both.provider.app.simulator.world.faults.add(fault)
    for path in ("/credits", "/reports/Outbox", "/contacts"):
        problem = await both.ask("GET", path, 502)
        assert problem["type"] == "/problems/provider-unclear"
        assert TOKEN not in str(problem)


@pytest.mark.parametrize("status", [302, 401, 404, 429])
async def test_a_call_that_was_turned_away_has_done_nothing(both: Both, status: int) -> None:
    fault = Fault(kind="status", status=status, taken=False)
    both.provider.app.simulator.world.faults.add(fault)
    for path in ("/credits", "/reports/Outbox", "/contacts"):
        problem = await both.ask("GET", path, 503)
        assert problem["type"] == "/problems/provider-unavailable"
        assert f"HTTP status {status}" in problem["detail"]


async def test_an_answer_that_is_empty_is_no_balance_and_an_empty_report(both: Both) -> None:
    both.provider.app.simulator.world.faults.add(Fault(kind="empty"))
    assert (await both.ask("GET", "/credits", 502))["type"] == "/problems/provider-unclear"
    for path in ("/reports/Outbox", "/contacts", "/groups"):
        assert (await both.ask("GET", path, 200))["items"] == []


async def test_without_a_token_everything_says_which_setting_is_missing(lone_api: Running) -> None:
    calls = [("GET", "/credits"), ("GET", "/reports/Outbox"), ("GET", "/contacts")]
    calls += [("GET", "/groups"), ("DELETE", "/groups?confirm=all"), ("DELETE", "/groups/friends")]
    for method, path in calls:
        answer = await lone_api.call(method, path)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-provider"), path
        assert answer.json()["detail"] == "no PROVIDER_TOKEN: set LETTERBOX_PROVIDER_TOKEN"


async def test_what_is_done_at_the_provider_is_kept_with_whose_it_was(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,friends\n")
    await both.ask("POST", "/groups/friends/empty", 204)
    await both.ask("DELETE", "/groups/friends", 204)
    await both.ask("DELETE", "/groups/friends", 404)
    for path in ("/groups", "/contacts"):
        await both.ask("DELETE", path, 204, params={"confirm": "all"})
    user = {"username": "desk", "password": "s3cret-word", "first_name": "A", "last_name": "B"}
    user |= {"email": "desk@example.com", "credits": "12.50"}
    await both.ask("POST", "/users", 201, json=user)
    await both.ask("POST", "/users/desk/credits", 204, json={"quantity": "10.5"})
    shown = await both.ask("GET", "/audit", 200)
    assert [(each["action"], each["subject"], each["detail"]) for each in shown["items"]] == [
        ("user.credits", "desk", {"quantity": "10.5"}),
        ("user.create", "desk", {"access_level": "Normal"}),
        ("contacts.delete-all", "all", {}),
        ("groups.delete-all", "all", {}),
        ("group.delete", "friends", {}),
        ("group.empty", "friends", {}),
        ("contacts.import", "contacts", {"lines": 1}),
    ]
    assert {each["actor"] for each in shown["items"]} == {"key:LETTERBOX_API_KEY"}


async def test_the_account_is_for_admins_alone(both: Both) -> None:
    key = (await both.api.make_key("messages:read", "messages:send", "rules:write"))["key"]
    for path in ("/credits", "/reports/Outbox", "/contacts", "/groups"):
        assert (await both.ask("GET", path, 403, key=key))["type"] == "/problems/forbidden"


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


async def test_more_credits_than_there_are_is_the_callers_mistake(both: Both) -> None:
    user = {"username": "desk", "password": "s3cret-word", "first_name": "A", "last_name": "B"}
    user |= {"email": "desk@example.com"}
    problem = await both.ask("POST", "/users", 422, json=user | {"credits": "5000"})
    assert (problem["type"], problem["code"]) == ("/problems/provider-refused", -100)
    await both.ask("POST", "/users", 201, json=user)
    problem = await both.ask("POST", "/users/desk/credits", 422, json={"quantity": "5000"})
    assert (problem["type"], problem["code"]) == ("/problems/provider-refused", -100)
    assert (await both.ask("GET", "/sender", 200))["state"] == "running"
    assert (await both.ask("POST", "/users/nobody/credits", 404, json={"quantity": 1}))[
        "code"
    ] == -509


async def test_reports_beyond_those_that_may_be_read_at_once_are_429(both: Both) -> None:
    exchange = both.provider.client._exchange
    for _ in range(2):
        await exchange._handed_on.acquire()
    exchange._timeouts = replace(exchange._timeouts, connect=0.05)
    answer = await both.api.call("GET", "/reports/Outbox")
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-requests")
    assert answer.headers["retry-after"] == "60"


async def test_the_providers_own_words_about_any_id(both: Both) -> None:
    [provider_id] = await both.provider.client.send(HELLO, ADA)
    assert await both.ask("GET", f"/provider/messages/{provider_id}", 200) == {
        "provider_id": provider_id,
        "provider_status": "Pending",
        "status": "sent",
    }
    for path in ("/provider/messages/999999", "/provider/background/999999"):
        assert (await both.ask("GET", path, 404))["type"] == "/problems/not-found"
    await both.ask("POST", "/provider/messages/999999/cancel", 404)
    later = replace(HELLO, schedule_at=START + timedelta(hours=5))
    [provider_id] = await both.provider.client.send(later, ADA)
    await both.ask("POST", f"/provider/messages/{provider_id}/cancel", 204)
    [entry] = (await both.ask("GET", "/audit", 200))["items"]
    assert (entry["action"], entry["subject"]) == ("provider.cancel", provider_id)
    assert (await both.ask("GET", "/outbound", 200))["items"] == []


async def test_the_messages_of_a_send_to_a_list_are_asked_of_the_provider(both: Both) -> None:
    sent = await both.provider.client.send_to_named(HELLO, "list", "people")
    shown = await both.ask("GET", f"/provider/background/{sent.ids[0]}", 200)
    assert sorted(each["to"] for each in shown["items"]) == [ADA, GRACE]
    assert {each["status"] for each in shown["items"]} == {"sent"}


USER = {
    "username": "desk",
    "password": "s3cret-word",
    "first_name": "A",
    "last_name": "B",
    "email": "desk@example.com",
}


@pytest.mark.parametrize(
    ("method", "path", "options", "action"),
    [
        ("POST", "/users", {"json": USER}, "CreateUser"),
        ("POST", "/users/child/credits", {"json": {"quantity": "1"}}, "UpdateCredits"),
        ("POST", "/contacts", {"content": f"Eve,{GRACE},", "headers": CSV}, "ImportContactsCSV"),
        ("DELETE", "/contacts?confirm=all", {}, "DeleteAllContacts"),
        ("DELETE", "/groups?confirm=all", {}, "DeleteAllGroups"),
        ("DELETE", "/groups/friends", {}, "DeleteGroup"),
        ("POST", "/groups/friends/empty", {}, "EmptyGroup"),
    ],
    ids=lambda value: value if isinstance(value, str) and value[0] != "/" else "",
)
async def test_with_an_idempotency_key_the_provider_is_asked_once(
    both: Both, method: str, path: str, options: dict[str, Any], action: str
) -> None:
    await both.import_csv(f"Ada,{ADA},,friends\n")
    before = both.provider.app.simulator.world.calls.counts.copy()
    headers = {"Idempotency-Key": "once", **options.pop("headers", {})}
    first = await both.api.call(method, path, headers=headers, **options)
    again = await both.api.call(method, path, headers=headers, **options)
    assert first.is_success, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("content-type") == first.headers.get("content-type")
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    counts = both.provider.app.simulator.world.calls.counts
    assert sum(counts.values()) - sum(before.values()) == 1


async def test_a_key_holds_for_one_request_of_any_kind(both: Both) -> None:
    key = {"Idempotency-Key": "k"}
    await both.ask("POST", "/users/child/credits", 204, json={"quantity": "1"}, headers=key)
    for method, path, body in (
        ("POST", "/users/child/credits", {"quantity": "2"}),
        ("POST", "/users/other/credits", {"quantity": "1"}),
        ("DELETE", "/groups/friends", None),
        ("POST", "/outbound", {"to": ADA, "source": OUR_NUMBER, "body": "Hello"}),
    ):
        problem = await both.ask(method, path, 422, json=body, headers=key)
        assert problem["type"] == "/problems/idempotency-key-reused"
    written = b'{ "quantity" :"1"}'
    headers = key | {"Content-Type": "application/json"}
    await both.ask("POST", "/users/child/credits", 204, content=written, headers=headers)
    assert (await both.ask("GET", "/credits", 200))["credits"] == "999.00"


async def test_a_refusal_uses_up_no_key(both: Both) -> None:
    key = {"Idempotency-Key": "k"}
    await both.ask("POST", "/groups/friends/empty", 404, headers=key)
    await both.import_csv(f"Ada,{ADA},,friends\n")
    await both.ask("POST", "/groups/friends/empty", 204, headers=key)
    await both.ask(
        "POST", "/users/child/credits", 422, json={"quantity": 0}, headers={"Idempotency-Key": "l"}
    )
    await both.ask(
        "POST", "/users/child/credits", 204, json={"quantity": 1}, headers={"Idempotency-Key": "l"}
    )


async def test_what_may_have_been_done_is_not_done_again(both: Both) -> None:
    fault = Fault(kind="status", status=500, taken=True, times=1)
    both.provider.app.simulator.world.faults.add(fault)
    key = {"Idempotency-Key": "k"}
    body = {"quantity": "1"}
    first = await both.ask("POST", "/users/child/credits", 502, json=body, headers=key)
    again = await both.ask("POST", "/users/child/credits", 502, json=body, headers=key)
    assert first == again
    assert first["type"] == "/problems/provider-unclear"
    assert (await both.ask("GET", "/credits", 200))["credits"] == "999.00"


async def test_a_request_that_was_cut_off_is_told_so_and_not_done_again(both: Both) -> None:
    key = {"Idempotency-Key": "k"}
    body = {"quantity": "1"}
    fault = Fault(kind="slow", taken=False, seconds=60, times=1)
    both.provider.app.simulator.world.faults.add(fault)
    path = "/users/child/credits"
    task = asyncio.create_task(both.api.call("POST", path, json=body, headers=key))
    await asyncio.sleep(0.3)
    problem = await both.ask("POST", path, 409, json=body, headers=key)
    assert problem["type"] == "/problems/in-flight"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await both.ask("POST", path, 409, json=body, headers=key)
    both.api.clock.now += timedelta(minutes=11)
    problem = await both.ask("POST", path, 502, json=body, headers=key)
    assert problem["type"] == "/problems/provider-unclear"
    assert (await both.ask("GET", "/credits", 200))["credits"] == "1000.00"


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


async def test_a_body_where_none_is_taken_is_ignored_with_a_key_as_without(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,customers\n")
    headers = {"Content-Type": "application/json"}
    for key in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):
        path = "/groups/customers/empty"
        await both.ask("POST", path, 204, content=b'{"a": 1, "a": 2', headers=headers | key)


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", "/provider/messages/1,2", "provider_id"),
        ("POST", "/provider/messages/%20/cancel", "provider_id"),
        ("GET", "/provider/background/a%20b", "id"),
        ("DELETE", "/groups/%20", "name"),
        ("POST", "/groups/%20/empty", "name"),
        ("POST", "/users/%20/credits", "name"),
    ],
)
async def test_an_error_names_a_part_of_the_path_as_the_description_does(
    both: Both, method: str, path: str, field: str
) -> None:
    body = {"quantity": "1"} if path.startswith("/users") else None
    problem = await both.ask(method, path, 422, json=body)
    assert [each["field"] for each in problem["errors"]] == [field]
