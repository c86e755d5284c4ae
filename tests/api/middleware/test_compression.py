"""gzip: for lists and exports, for whoever asks, and never beside a secret."""

import gzip

import httpx2
import pytest

from tests.api.running import ADMIN_KEY, Running
from tests.support.messages import make_message

GZIP = {"Accept-Encoding": "br;q=1, gzip;q=0.5", "Authorization": f"Bearer {ADMIN_KEY}"}


async def fill(api: Running) -> None:
    await api.store(*(make_message(number) for number in range(1, 20)))
    await api.handle()


@pytest.mark.parametrize(
    "path",
    ["/messages", "/messages/export", "/messages/export?format=ndjson"],
)
async def test_lists_and_exports_are_compressed_on_request(lone_api: Running, path: str) -> None:
    await fill(lone_api)
    plain = await lone_api.get(path, headers={"Accept-Encoding": "identity"})
    request = lone_api.client.build_request("GET", f"/api/v1{path}", headers=GZIP)
    packed = await lone_api.client.send(request, stream=True)
    data = b"".join([chunk async for chunk in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert gzip.decompress(data) == plain.content
    assert len(data) < len(plain.content)
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    "lines", [["GZIP"], ["br, X-Gzip;Q=0.5"], ["br", "gzip"], ["gzip;q=0.001", "identity"]]
)
async def test_gzip_is_asked_for_in_any_case_and_line(lone_api: Running, lines: list[str]) -> None:
    await fill(lone_api)
    asked = [("Accept-Encoding", line) for line in lines]
    for path in ("/api/v1/messages", "/api/v1/messages/export", "/openapi.json"):
        # The client's own header would be one line more.
        request = lone_api.client.build_request("GET", path, headers=GZIP)
        request.headers = httpx2.Headers(
            [pair for pair in request.headers.multi_items() if pair[0] != "accept-encoding"] + asked
        )
        answer = await lone_api.client.send(request)
        assert answer.headers["content-encoding"] == "gzip", path


@pytest.mark.parametrize(
    "header", ["", "identity", "gzip;q=0", "gzip; q=0.0, br", "gzip; q = 0", "br"]
)
async def test_who_does_not_ask_gets_plain_text(lone_api: Running, header: str) -> None:
    await fill(lone_api)
    for path in ("/api/v1/messages", "/openapi.json"):
        headers = GZIP | {"Accept-Encoding": header}
        answer = await lone_api.client.get(path, headers=headers)
        assert "content-encoding" not in answer.headers


async def test_a_single_resource_keeps_its_tag_and_is_not_compressed(lone_api: Running) -> None:
    made = await lone_api.call("POST", "/rules", json={"name": "x" * 150, "reply": "y" * 400})
    path = f"/rules/{made.json()['id']}"
    shown = await lone_api.get(path, headers=GZIP)
    assert "content-encoding" not in shown.headers
    assert shown.headers["etag"] == made.headers["etag"]
    known = {"If-None-Match": shown.headers["etag"]} | GZIP
    answer = await lone_api.get(path, headers=known)
    assert (answer.status_code, "content-encoding" in answer.headers) == (304, False)


async def test_no_page_and_no_answer_with_a_secret_is_compressed(lone_api: Running) -> None:
    page = await lone_api.client.get("/sign-in", headers={"Accept-Encoding": "gzip"})
    assert len(page.content) > 500
    assert "content-encoding" not in page.headers
    body = {"name": "x" * 200, "scopes": ["admin"]}
    made = await lone_api.call("POST", "/keys", json=body, headers=GZIP)
    assert made.status_code == 201
    assert "content-encoding" not in made.headers
