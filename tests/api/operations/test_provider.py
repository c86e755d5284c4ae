"""What programs ask of the provider through this interface, with the simulated one behind it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.simulator.actions.codes import ERROR_TEXTS
from app.simulator.state.faults import Fault
from tests.api.both import HELLO, Both
from tests.api.running import Running
from tests.support.simulated import (
    ADA,
    GRACE,
    START,
    TOKEN,
)


async def test_credits_are_a_decimal_text(both: Both) -> None:
    assert await both.ask("GET", "/credits", 200) == {"credits": "1000.00"}


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
