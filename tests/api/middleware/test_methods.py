"""What holds for every path: its methods, the id of a request, and what a body may be."""

import json

import pytest
import structlog
from structlog.testing import capture_logs

from app.api.core.json_input import parse_json
from tests.api.running import ADMIN_KEY, Running
from tests.support.messages import make_message

JSON = {"Content-Type": "application/json"}
RULE = {"name": "Hours", "reply": "Until five", "keyword": "hours"}


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/api/v1/rules", "/sign-in"]
)
async def test_head_is_get_without_a_body(lone_api: Running, path: str) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    got = await lone_api.client.get(path, headers=headers)
    head = await lone_api.client.head(path, headers=headers)
    assert (head.status_code, head.content) == (got.status_code, b"")
    for name in ("content-type", "cache-control", "content-security-policy"):
        assert head.headers[name] == got.headers[name]


async def test_head_of_an_export_and_of_a_stream_ends(lone_api: Running) -> None:
    await lone_api.store(*(make_message(i) for i in range(3)))
    for path in ("/messages", "/events"):
        answer = await lone_api.call("HEAD", path, headers={"Accept": "text/csv"})
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/sign-in", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/rules", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/rules/rul_1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/v1/rules/trying", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/v1/rules/try", "OPTIONS, POST"),
        ("/api/v1/reconcile", "OPTIONS, POST"),
    ],
)
async def test_options_lists_the_methods_of_a_path_without_a_key(
    lone_api: Running, path: str, allowed: str
) -> None:
    answer = await lone_api.client.options(path)
    assert (answer.status_code, answer.headers["allow"]) == (204, allowed)
    wrong = await lone_api.client.request("PUT", path)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, allowed)
    assert (await lone_api.client.options("/api/v1/nothing")).status_code == 404


async def test_every_answer_has_a_request_id_and_so_has_its_log_line(lone_api: Running) -> None:
    seen = set()
    for path in ("/livez", "/sign-in", "/nothing", "/api/v1/messages", "/docs"):
        seen.add((await lone_api.client.get(path)).headers["x-request-id"])
    assert len(seen) == 5
    answer = await lone_api.get("/messages?limit=0", headers={"X-Request-Id": "shop:4711/a.b"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "shop:4711/a.b"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "a\x1b[2J", "<script>", '"', "é"])
async def test_an_odd_request_id_is_replaced(lone_api: Running, sent: str) -> None:
    headers = [(b"X-Request-Id", sent.encode())]
    answer = await lone_api.client.get("/livez", headers=headers)
    assert answer.headers["x-request-id"] not in {sent, ""}
    twice = [("X-Request-Id", "one"), ("X-Request-Id", "two")]
    answer = await lone_api.client.get("/livez", headers=twice)
    assert answer.headers["x-request-id"] not in {"one", "two", "one, two"}


async def test_log_lines_of_a_request_are_bound_to_its_id(lone_api: Running) -> None:

    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await lone_api.client.get("/api/v1/nothing", headers={"X-Request-Id": "abc-1"})
        await lone_api.client.get("/nothing", headers={"X-Request-Id": "abc-2"})
    assert [line["request_id"] for line in lines if line["event"] == "request"] == [
        "abc-1",
        "abc-2",
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=iso-8859-1",
        "application/jsonx",
        "text/x+json",
    ],
)
async def test_a_body_of_another_type_is_415(lone_api: Running, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = await lone_api.call("POST", "/rules", content=json.dumps(RULE), headers=headers)
    assert answer.status_code == 415
    assert answer.json()["type"] == "/problems/unsupported-media-type"
    assert (await lone_api.read("/rules"))["items"] == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/JSON; charset=UTF-8", "application/x+json"]
)
async def test_json_is_known_however_its_type_is_written(
    lone_api: Running, content_type: str
) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(RULE).encode()
    headers = {"Content-Type": content_type}
    answer = await lone_api.call("POST", "/rules", content=body, headers=headers)
    assert answer.status_code == 201, answer.text


async def test_a_compressed_body_is_415_and_an_empty_one_needs_no_type(lone_api: Running) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    answer = await lone_api.call("POST", "/rules", content=b"\x1f\x8b\x08", headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    await lone_api.send("POST", "/numbers", {"number": "447700900100"})
    answer = await lone_api.call("POST", "/numbers/447700900100/rotate-auth")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b" ",
        b"{'name': 1}",
        b'{"name": "a",}',
        b'{"name": NaN}',
        b'{"name": -Infinity}',
        b'{"name": "\xff"}',
        b'{"name": "a"} x',
        b"[" * 100_000,
        b'{"position": ' + b"9" * 5_000 + b"}",
        b'{"name": "a", "name": "a"}',
        b'{"name": "a", "\\u006eame": "b"}',
        b'{"x": [{"a": 1, "a": 2}]}',
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
async def test_json_that_is_malformed_or_ambiguous_is_400(lone_api: Running, body: bytes) -> None:
    answer = await lone_api.call("POST", "/rules", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unreadable")
    assert "errors" not in answer.json()


async def test_an_integer_may_be_written_with_a_fraction_of_zero(lone_api: Running) -> None:
    made = await lone_api.send("POST", "/rules", RULE | {"cooldown_seconds": 60.0, "position": 2e0})
    assert (made["cooldown_seconds"], made["position"]) == (60, 2)
    answer = await lone_api.call("POST", "/rules", json=RULE | {"cooldown_seconds": 60.5})
    assert answer.status_code == 422
    answer = await lone_api.call(
        "POST", "/rules", content=b'{"name": "a", "reply": "b", "position": 1e999}', headers=JSON
    )
    assert answer.status_code == 422
    assert parse_json(b'[1.5, 2.0, "2.0"]') == [1.5, 2, "2.0"]
