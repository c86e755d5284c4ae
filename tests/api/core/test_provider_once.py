"""What an Idempotency-Key does where the provider is asked."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.simulator.state.faults import Fault
from tests.api.both import CSV, Both
from tests.support.simulated import (
    ADA,
    GRACE,
    OUR_NUMBER,
)

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


async def test_a_body_where_none_is_taken_is_ignored_with_a_key_as_without(both: Both) -> None:
    await both.import_csv(f"Ada,{ADA},,customers\n")
    headers = {"Content-Type": "application/json"}
    for key in ({}, {"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}):
        path = "/groups/customers/empty"
        await both.ask("POST", path, 204, content=b'{"a": 1, "a": 2', headers=headers | key)
