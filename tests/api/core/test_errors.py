"""Errors: one form for all of them, naming what is off and giving nothing away."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.api.core.errors import ALL_KINDS
from tests.api.running import ADMIN_KEY, Running, running
from tests.support.messages import make_message

JSON = {"Content-Type": "application/json"}


async def test_every_error_has_the_fields_of_rfc_9457(lone_api: Running) -> None:
    answer = await lone_api.get("/messages", params={"limit": 0})
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {
        "type",
        "title",
        "status",
        "detail",
        "request_id",
        "errors",
    }
    assert problem["type"] == "/problems/invalid-input"
    assert problem["status"] == answer.status_code == 422
    assert problem["errors"][0].keys() == {"field", "code", "detail"}
    assert problem["detail"] == "limit: write 1 or more"


async def test_the_scheme_of_the_key_is_told(lone_api: Running) -> None:
    answer = await lone_api.get("/messages", key=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="letterbox"'
    assert answer.json()["type"] == "/problems/unauthorized"
    reader = await lone_api.make_key("messages:read")
    answer = await lone_api.get("/keys", key=reader["key"])
    assert answer.status_code == 403
    assert 'scope="admin"' in answer.headers["www-authenticate"]
    assert answer.json()["type"] == "/problems/forbidden"


async def test_a_key_is_asked_for_before_anything_else_is_looked_at(lone_api: Running) -> None:
    for body in ("{broken", '{"unknown": 1}'):
        answer = await lone_api.call("POST", "/keys", key=None, content=body, headers=JSON)
        assert answer.status_code == 401
    reader = await lone_api.make_key("messages:read")
    answer = await lone_api.call("POST", "/keys", key=reader["key"], content="{", headers=JSON)
    assert answer.status_code == 403
    assert (await lone_api.get("/messages", key=None, params={"x": "1"})).status_code == 401


async def test_two_keys_at_once_are_refused(lone_api: Running) -> None:
    headers = [("Authorization", f"Bearer {ADMIN_KEY}"), ("Authorization", "Bearer other")]
    answer = await lone_api.client.get("/api/v1/messages", headers=headers)
    assert answer.status_code == 401


async def test_a_parameter_that_comes_twice_is_refused(lone_api: Running) -> None:
    answer = await lone_api.get("/messages?limit=5&q=a&q=b&unread=true&unread=true")
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["q", "unread"]


async def test_a_time_that_is_none_gets_a_hint(lone_api: Running) -> None:
    cases = {
        "2026-06-01T12:00:00 01:00": "%2B",
        "2026-06-01": "with its offset",
        "1780000000": "with its offset",
        "2026-02-30T12:00:00Z": "no such time",
        "0001-01-01T00:00:00%2B05:00": "no such time",
    }
    for time, hint in cases.items():
        answer = await lone_api.get(f"/messages?since={time}")
        assert (answer.status_code, hint in answer.json()["detail"]) == (422, True), time


async def test_a_nul_character_is_refused_everywhere(api: Running) -> None:
    for path in ("/messages?q=a%00b", "/messages?source=%00", "/stats?number=%00"):
        answer = await api.get(path)
        assert (answer.status_code, "NUL" in answer.text) == (422, True)
    assert (await api.get("/numbers/4477%00")).status_code == 404
    bodies: list[tuple[str, dict[str, Any], str]] = [
        ("/numbers", {"number": "447700900100", "label": "a\0"}, "label"),
        ("/keys", {"name": "\0", "scopes": ["admin"]}, "name"),
    ]
    for path, body, field in bodies:
        answer = await api.call("POST", path, json=body)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_a_body_that_is_off_is_told_so(lone_api: Running) -> None:
    cases: list[tuple[bytes, dict[str, str], int, str]] = [
        (b"{broken", JSON, 400, "the body is not valid JSON"),
        (b'{"name": "x"', {}, 415, "Content-Type: application/json"),
        (b"name=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "Content-Type"),
        (b"[]", JSON, 422, "send a JSON object"),
        (b"", JSON, 422, "send a JSON object"),
        (b'{"name": 5, "scopes": ["admin"]}', JSON, 422, "name: write a text"),
        (b'{"name": "\\ud800", "scopes": ["admin"]}', JSON, 422, "half a character"),
        (b'{"name": "x", "scopes": ["admin"], "\\ud800": 1}', JSON, 422, "write a text"),
        (b"\xff", JSON, 400, "not UTF-8"),
        (b"[" * 50_000, JSON, 400, "nested too deeply"),
    ]
    for content, headers, status, hint in cases:
        answer = await lone_api.call("POST", "/keys", content=content, headers=headers)
        assert answer.status_code == status, content[:50]
        assert hint in answer.json()["detail"], content[:50]


async def test_a_body_that_is_too_large_is_refused(lone_api: Running) -> None:
    answer = await lone_api.call("POST", "/keys", content=b"x" * 300_000, headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"


async def test_a_wrong_method_is_told_every_method_of_the_path(lone_api: Running) -> None:
    answer = await lone_api.call("PUT", "/numbers/447700900100")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert answer.json()["type"] == "/problems/method-not-allowed"


async def test_a_slash_too_many_is_no_redirect_to_the_callers_host(lone_api: Running) -> None:
    assert (await lone_api.get("/messages/")).status_code == 404


async def test_an_unforeseen_error_tells_nothing_but_is_logged(
    lone_api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret of the inside")

    monkeypatch.setattr(lone_api.runtime.database, "read", fail)
    with capture_logs() as logs:
        answer = await lone_api.get("/messages")
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert "secret" not in answer.text
    assert any(each["event"] == "request_failed" for each in logs)


async def test_before_the_database_was_reached_everything_waits(lone_api: Running) -> None:
    lone_api.runtime.prepared.clear()
    for key in (ADMIN_KEY, "lbx_some-key"):
        answer = await lone_api.get("/messages", key=key)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["type"] == "/problems/unavailable"
    ready = await lone_api.client.get("/readyz")
    assert (ready.status_code, ready.json()["database"]["status"]) == (200, "degraded")
    lone_api.runtime.prepared.set()


async def test_the_log_of_requests_holds_neither_query_nor_key(lone_api: Running) -> None:
    await lone_api.store(make_message(1))
    with capture_logs() as logs:
        await lone_api.get("/messages?q=private")
        await lone_api.client.get("/livez")
    lines = [each for each in logs if each["event"] == "request"]
    assert [(each["path"], each["status"], each["log_level"]) for each in lines] == [
        ("/api/v1/messages", 200, "info"),
        ("/livez", 200, "debug"),
    ]
    assert all(each["milliseconds"] >= 0 for each in lines)
    assert "private" not in str(logs)
    assert ADMIN_KEY not in str(logs)


async def test_every_type_of_a_problem_leads_to_a_page(lone_api: Running) -> None:
    everything = (await lone_api.client.get("/problems")).text
    for kind in ALL_KINDS:
        page = await lone_api.client.get(kind.type)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert kind.title in page.text.replace("&#x27;", "'")
        assert kind.type in everything
    unknown = await lone_api.client.get("/problems/nonsense")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize(
    ("path", "body", "field", "code"),
    [
        ("/rules", {"reply": "a"}, "name", "missing"),
        ("/rules", {"name": "a", "reply": "b", "colour": 1}, "colour", "unknown"),
        ("/rules", {"name": "a" * 5000, "reply": "b"}, "name", "too-long"),
        ("/rules", {"name": "", "reply": "b"}, "name", "too-short"),
        ("/rules", {"name": 1, "reply": "b"}, "name", "wrong-type"),
        ("/rules", {"name": "a", "reply": "b", "position": 1.5}, "position", "wrong-type"),
        ("/rules", {"name": "a", "reply": "b", "position": -1}, "position", "out-of-range"),
        ("/rules", {"name": "a", "reply": "b", "days": ["someday"]}, "days.0", "not-allowed"),
        ("/rules", {"name": "a", "reply": "b", "pattern": "("}, "pattern", "invalid"),
        ("/numbers", {"number": "nonsense"}, "number", "not-a-number"),
        ("/rules", {"name": "a", "reply": "b", "dest": "nonsense"}, "dest", "not-a-number"),
        ("/keys", {"name": "a", "scopes": []}, "scopes", "too-short"),
    ],
)
async def test_each_error_has_a_code_for_programs(
    lone_api: Running, path: str, body: dict[str, Any], field: str, code: str
) -> None:
    answer = await lone_api.call("POST", path, json=body)
    assert answer.status_code == 422
    assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [(field, code)]


async def test_parameters_have_codes_as_well(lone_api: Running) -> None:
    answer = await lone_api.get("/messages?colour=1&limit=5&limit=6")
    found = {each["field"]: each["code"] for each in answer.json()["errors"]}
    assert found == {"colour": "unknown", "limit": "repeated"}
    answer = await lone_api.get("/messages?via=pigeon&limit=1000")
    found = {each["field"]: each["code"] for each in answer.json()["errors"]}
    assert found == {"via": "not-allowed", "limit": "out-of-range"}


async def test_a_type_leads_to_its_page_below_the_path_of_public_url(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with running(sqlite_url, tmp_path, public_url="https://example.com/texts") as api:
        for path in ("/api/v1/nothing", "/texts/api/v1/nothing"):
            problem = (await api.client.get(path)).json()
            assert problem["type"] == "/texts/problems/not-found"
            assert (await api.client.get(problem["type"])).status_code == 200
