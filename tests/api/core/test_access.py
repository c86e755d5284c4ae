"""Who may do what, and how errors are told."""

import itertools

import pytest

from app.api.core.routing import SECURITY_SCHEME
from tests.support.kit import Kit

EVERY_LIST = [
    "/messages",
    "/conversations",
    "/outbound",
    "/rules",
    "/opt-outs",
    "/numbers",
    "/keys",
    "/refusals",
    "/alerts",
    "/audit",
    "/stats",
]


async def make_key(kit: Kit, *scopes: str) -> dict[str, str]:
    answer = await kit.client.request(
        "POST", "/api/v1/keys", json={"name": "test", "scopes": list(scopes)}
    )
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", [*EVERY_LIST, "/events", "/messages/msg_1"])
@pytest.mark.alike
async def test_nothing_is_shown_without_a_key(shared_kit: Kit, path: str) -> None:
    for header in ("", "Bearer wrong", "Basic YTpi"):
        answer = await shared_kit.client.request(
            "GET", "/api/v1" + path, headers={"Authorization": header}
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_opens_what_its_scopes_name(kit: Kit) -> None:
    reader = await make_key(kit, "messages:read")
    for path in ("/messages", "/conversations", "/opt-outs", "/stats"):
        assert (
            await kit.client.request("GET", "/api/v1" + path, headers=reader)
        ).status_code == 200
    for path in ("/rules", "/numbers", "/keys", "/refusals", "/alerts", "/audit"):
        answer = await kit.client.request("GET", "/api/v1" + path, headers=reader)
        assert answer.status_code == 403
        assert answer.json()["status"] == 403


async def test_every_path_opens_to_its_scopes_and_to_no_others(kit: Kit) -> None:
    schema = (await kit.client.request("GET", "/openapi.json")).json()
    operations = [
        (method.upper(), path.replace("{", "").replace("}", ""), operation)
        for path, methods in schema["paths"].items()
        if path.startswith("/api/v1")
        for method, operation in methods.items()
    ]
    assert len(operations) > 50
    lesser = ("messages:read", "messages:send", "rules:write")
    keys = {
        held: await make_key(kit, *held)
        for count in (1, 2)
        for held in itertools.combinations(lesser, count)
    }
    for method, path, operation in operations:
        [needed] = [each[SECURITY_SCHEME] for each in operation["security"]]
        answer = await kit.client.request(method, path, headers={"Authorization": ""})
        assert answer.status_code == 401, (method, path)
        for held, key in keys.items():
            # What would be done is kept from it by an unknown parameter, which is told last.
            answer = await kit.client.request(f"{method}", f"{path}?colour=red", headers=key)
            expected = 422 if set(needed) <= set(held) else 403
            assert answer.status_code == expected, (method, path, held)


async def test_a_text_that_is_too_long_is_told_in_characters(kit: Kit) -> None:
    answer = await kit.client.request(
        "POST", "/api/v1/rules", json={"name": "x" * 999, "reply": "Hello"}
    )
    assert answer.json()["errors"] == [
        {"field": "name", "code": "too-long", "detail": "write a text of at most 200 characters"}
    ]


async def test_a_revoked_key_opens_nothing_from_then_on(kit: Kit) -> None:
    key = await make_key(kit, "messages:read")
    assert (await kit.client.request("GET", "/api/v1/messages", headers=key)).status_code == 200
    [listed] = (await kit.get("/keys"))["items"]
    assert listed["last_used_at"] is not None
    assert "key" not in listed
    assert (await kit.client.request("DELETE", f"/api/v1/keys/{listed['id']}")).status_code == 204
    assert (await kit.client.request("GET", "/api/v1/messages", headers=key)).status_code == 401


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", EVERY_LIST)
@pytest.mark.alike
async def test_every_unknown_parameter_is_named(shared_kit: Kit, path: str) -> None:
    answer = await shared_kit.client.request(
        "GET", "/api/v1" + path, params={"colour": "red", "Limit": "5"}
    )
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"colour", "Limit"}


@pytest.mark.asyncio(loop_scope="module")
async def test_every_unknown_field_is_named(shared_kit: Kit) -> None:
    answer = await shared_kit.client.request(
        "POST", "/api/v1/numbers", json={"number": "447700900456", "colour": "red"}
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["colour"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": "0"},
        {"limit": "501"},
        {"since": "yesterday"},
        {"since": "2026-06-01T12:00:00"},
        {"unread": "maybe"},
        {"problem": "none"},
        {"via": "pigeon"},
        {"mm.6": "x"},
        {"cursor": "damaged"},
        {"order": "sideways"},
    ],
)
@pytest.mark.alike
async def test_a_bad_parameter_is_named(shared_kit: Kit, parameters: dict[str, str]) -> None:
    answer = await shared_kit.client.request("GET", "/api/v1/messages", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == next(iter(parameters))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/messages/msg_999", "/messages/x", "/conversations/1", "/nope"])
async def test_what_does_not_exist_is_a_problem_404(shared_kit: Kit, path: str) -> None:
    answer = await shared_kit.client.request("GET", "/api/v1" + path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].startswith("/problems/")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_method_is_a_problem_405(shared_kit: Kit) -> None:
    answer = await shared_kit.client.request("DELETE", "/api/v1/messages")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cursor_of_another_query_is_refused(kit: Kit) -> None:
    for number in range(3):
        await kit.forward(str(number))
    page = await kit.get("/messages", limit=1)
    answer = await kit.client.request(
        "GET", "/api/v1/messages", params={"cursor": page["next"], "source": "447700900123"}
    )
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-cursor"
