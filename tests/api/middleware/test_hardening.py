"""What no answer lacks, and what no request can do, whoever sends it."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.api.middleware.hardening import HEADERS
from tests.api.running import ADMIN_KEY, Running, running
from tests.support.raw_requests import ask_raw

KEY = (b"authorization", f"Bearer {ADMIN_KEY}".encode())
# Each path without its parameters, with what it answers and to whom.
ANSWERS = [
    ("GET", "/livez", 200),
    ("GET", "/readyz", 200),
    ("GET", "/metrics", 200),
    ("GET", "/docs", 200),
    ("GET", "/docs.css", 200),
    ("GET", "/openapi.json", 200),
    ("PUT", "/docs", 405),
    ("GET", "/docs/nowhere", 404),
    ("GET", "/api/v1/messages", 200),
    ("GET", "/api/v1/messages/msg_1", 404),
    ("GET", "/api/v1/messages?colour=red", 422),
    ("GET", "/api/v1/events", 200),
    ("PUT", "/api/v1/messages", 405),
    ("GET", "/api/v1/nowhere", 404),
    ("GET", "/", 303),
    ("GET", "/live", 303),
    ("GET", "/sign-in", 200),
    ("POST", "/sign-in", 403),
    ("HEAD", "/sign-in", 200),
    ("OPTIONS", "/sign-in", 204),
    ("GET", "/sign-in?link=x", 403),
    ("GET", "/nowhere", 404),
    ("GET", "/static/x/nothing", 404),
    ("GET", "/messages/99999999999999999999", 303),
    ("GET", f"/messages/{'9' * 5000}", 404),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_no_answer_may_be_kept_framed_or_taken_for_something_else(
    shared_lone_api: Running, method: str, path: str, status: int
) -> None:
    path, _, query = path.partition("?")
    answer = await ask_raw(shared_lone_api.app, method, path, [KEY], query=query.encode())
    assert answer.status == status
    expected = {name.lower(): value for name, value in HEADERS.items()}
    if path == "/docs" and status == 200:  # it has a policy of its own, which is stricter
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        del expected["content-security-policy"]
    assert {name: answer.headers[name] for name in expected} == expected
    assert answer.headers["cache-control"] == "no-store"


async def test_an_export_may_not_be_kept_either(lone_api: Running) -> None:
    for form, media_type in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
        answer = await lone_api.get("/messages/export", params={"format": form})
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("public_url", "told"),
    [("https://texts.example.com", "max-age=31536000"), ("http://127.0.0.1:8000", None)],
)
async def test_browsers_are_told_to_stay_with_https_where_people_use_it(
    sqlite_url: str, tmp_path: Path, public_url: str, told: str | None
) -> None:
    async with running(sqlite_url, tmp_path, public_url=public_url) as api:
        for path in ("/sign-in", "/nowhere", "/livez", "/api/v1/messages"):
            answer = await ask_raw(api.app, "GET", path)
            assert answer.headers.get("strict-transport-security") == told


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/livez", "/docs", "/api/v1/messages", "/sign-in", "/", "/no"])
@pytest.mark.parametrize("name", [b"letterbox_session", b"__Host-letterbox_session", b"x"])
async def test_a_cookie_full_of_quotes_costs_no_more_than_another(
    shared_lone_api: Running, path: str, name: bytes
) -> None:
    """Python's own reader takes half a minute for it, in which no forward is answered."""
    value = b'"' + b"\\" * 60_000 + b'"'
    answer = await ask_raw(shared_lone_api.app, "GET", path, [(b"cookie", name + b"=" + value)])
    assert answer.status < 500


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/api/v1/", "/"])
async def test_no_path_makes_a_long_line_in_the_log_or_steers_a_terminal(
    shared_lone_api: Running, path: str
) -> None:
    with capture_logs() as lines:
        await ask_raw(shared_lone_api.app, "GET", f"{path}%1b]0;x%07%0a{'x' * 60_000}")
    [line] = [each for each in lines if each["event"] == "request"]
    assert line["path"].startswith(f"{path}%1B%5D0%3Bx%07%0Axxx")
    assert len(line["path"]) < 300
