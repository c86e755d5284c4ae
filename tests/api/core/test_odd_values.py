"""Every path of the REST interface with odd values: whatever these are, none answers 500."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.running import ADMIN_KEY, Running
from tests.support.raw_requests import RawAnswer, ask_raw

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = (b"authorization", f"Bearer {ADMIN_KEY}".encode())
TEXTS = [
    "",
    "\0",
    "%00",
    "\ud800",
    "\U0001f600" * 50,
    "a" * 20_000,
    "9" * 5_000,
    "-1",
    "9223372036854775808",
    "\u0663",
    "\u0130\u017f\u00df",
    "[",
    "..",
    "1e309",
    "NaN",
    "0000-00-00",
    "2026-01-01T00:00:00+99:99",
    "9999-12-31T23:59:59-14:00",
    "\u202e\u2028\ufffe\U0010ffff",
]
QUERIES = [b"%", b"%zz=%", b"=", b"&" * 5_000, b"\xff=\xff", b"limit=1&limit=2", b"a" * 60_000]
BODIES = [
    b"",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"null",
    b"[]",
    b"1e999",
    b"NaN",
    b'"\\ud800"',
    b"\xff",
    b"\xef\xbb\xbf{}",
    b'{"\\u0000": 1}',
    b'{"a": 1, "a": 2}',
    b"9" * 5_000,
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    2**63,
    10**30,
    1e308,
    "",
    "\0",
    "\ud800",
    "a" * 20_000,
    [],
    {},
    [None],
    [[]],
    ["\ud800"],
    {"\ud800": 1},
    "{" * 1_000,
    "(" * 500,
    "9999-12-31T23:59:59-14:00",
]
HEADERS = [b"", b"\xff\xfe", b"\xed\xa0\x80", b"9" * 5_000, b'"', b"W/", b"*", b"a,b;q=x" * 500]
STRANGERS_HEADERS = [
    b"accept",
    b"authorization",
    b"content-type",
    b"cookie",
    b"forwarded",
    b"host",
    b"range",
    b"x-forwarded-for",
]
STREAM = "/api/v1/events"


def list_operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if path != "/inbound" and path != STREAM:
                yield method.upper(), path, operation


def list_places(operation: dict[str, Any], where: str) -> list[str]:
    return [each["name"] for each in operation.get("parameters", []) if each["in"] == where]


def list_body_fields(schema: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return []
    described = content["schema"]
    name = described.get("$ref", "").rpartition("/")[2]
    found = schema["components"]["schemas"].get(name, described)
    return list(found.get("properties", {}))


async def ask(
    api: Running, method: str, path: str, query: bytes = b"", body: bytes = b"", **headers: bytes
) -> RawAnswer:
    named = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    filled = path.replace("{", "").replace("}", "")
    answer = await ask_raw(api.app, method, filled, [KEY, *named], query=query, body=body)
    # 503: no account is set up.
    assert answer.status < 500 or answer.status == 503, (method, path, query[:50], body[:50])
    return answer


@pytest.mark.slow
async def test_no_path_query_or_header_breaks_an_endpoint(shared_lone_api: Running) -> None:
    schema = (await shared_lone_api.client.get("/openapi.json")).json()
    for method, path, operation in list_operations(schema):
        for name in list_places(operation, "path"):
            for text in TEXTS:
                odd = quote(text, safe="", errors="surrogatepass")
                await ask(shared_lone_api, method, path.replace(f"{{{name}}}", odd))
        for name in list_places(operation, "query"):
            for text in TEXTS:
                odd = quote(text, safe="", errors="surrogatepass")
                await ask(shared_lone_api, method, path, f"{name}={odd}".encode())
        for query in QUERIES:
            await ask(shared_lone_api, method, path, query)
        for name in list_places(operation, "header"):
            for value in HEADERS:
                await ask(shared_lone_api, method, path, **{name.lower(): value})


@pytest.mark.slow
async def test_no_body_breaks_an_endpoint(shared_lone_api: Running) -> None:
    schema = (await shared_lone_api.client.get("/openapi.json")).json()
    kind = b"application/json"
    for method, path, operation in list_operations(schema):
        if "requestBody" not in operation:
            continue
        for body in BODIES:
            await ask(shared_lone_api, method, path, body=body, content_type=kind)
        fields = list_body_fields(schema, operation)
        for name in fields:
            for value in VALUES:
                given = {**dict.fromkeys(fields, "447700900123"), name: value}
                for whole in (given, {name: value}):
                    sent = json.dumps(whole).encode()
                    await ask(shared_lone_api, method, path, body=sent, content_type=kind)


async def test_no_key_or_header_of_a_stranger_breaks_anything(shared_lone_api: Running) -> None:
    for path in ("/api/v1/messages", STREAM, "/api/v1/no", "/docs", "/livez", "/readyz"):
        for name in STRANGERS_HEADERS:
            for value in [*HEADERS, b"Bearer \xff", b"Bearer " + b"x" * 60_000, b"["]:
                answer = await ask_raw(shared_lone_api.app, "GET", path, [(name, value)])
                assert answer.status < 500, (path, name, value[:20])
