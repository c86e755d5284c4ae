"""Forms are taken from our own pages alone, and by the addresses that people use."""

from pathlib import Path

import pytest

from tests.api.running import BASE_URL
from tests.web.visiting import Visitor, visiting


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": BASE_URL.replace("https", "http")},
        {"Origin": f"{BASE_URL}:8443"},
        {"Origin": BASE_URL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": BASE_URL, "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_of_another_page_does_nothing(
    lone_visitor: Visitor, headers: dict[str, str]
) -> None:
    answer = await lone_visitor.post("/sign-out", headers=headers)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert (await lone_visitor.get("/")).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000", 303),
        ("localhost:8000", "http://localhost:8000", 303),
        ("[::1]:8000", "http://[::1]:8000", 303),
        ("192.168.1.5:8000", "http://192.168.1.5:8000", 303),
        ("localhost:9000", "https://localhost:9000", 303),
        ("rebound.example:8000", "http://rebound.example:8000", 403),
        ("127.0.0.1:8000", "http://rebound.example:8000", 403),
        ("localhost:8000", "http://127.0.0.1:8000", 403),
    ],
)
async def test_without_public_url_any_address_of_the_machine_will_do_but_no_strange_name(
    sqlite_url: str, tmp_path: Path, host: str, origin: str, status: int
) -> None:
    async with visiting(sqlite_url, tmp_path, name=None, public_url="") as visitor:
        link = {"link": await visitor.make_link()}
        answer = await visitor.post("/sign-in/link", link, headers={"Host": host, "Origin": origin})
        assert answer.status_code == status
        if status == 403:
            assert "set LETTERBOX_PUBLIC_URL to the address that people use" in answer.text
            # A local address is of no use to whoever comes from elsewhere.
            assert "127.0.0.1:8000" not in answer.text.replace(host, "").replace(origin, "")


async def test_a_page_opened_by_a_strange_name_says_what_to_do_before_anything_is_typed(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with visiting(sqlite_url, tmp_path, name=None, public_url="") as visitor:
        page = await visitor.get("/sign-in", headers={"Host": "letterbox.lan:8000"})
        assert "but this page was opened at letterbox.lan:8000" in page.text
        page = await visitor.get("/sign-in", headers={"Host": "localhost:8000"})
        assert "but this page was opened" not in page.text
