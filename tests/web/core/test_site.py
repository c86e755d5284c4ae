"""What holds for every page: headers, errors as pages, files that are kept for ever."""

import re

import pytest

from app.api.middleware.hardening import HEADERS
from tests.web.visiting import Visitor, browsing


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere", "/sign-out", "/static/x/y.css"])
async def test_no_answer_comes_without_the_headers(shared_lone_visitor: Visitor, path: str) -> None:
    answer = await shared_lone_visitor.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.asyncio(loop_scope="module")
async def test_the_policy_leaves_nothing_inline_and_no_other_host(
    shared_lone_visitor: Visitor,
) -> None:
    policy = (await shared_lone_visitor.get("/")).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    page = await shared_lone_visitor.read("/")
    assert not re.search(
        r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=\"/static/)", page
    )
    assert "://" not in page


@pytest.mark.asyncio(loop_scope="module")
async def test_errors_below_the_root_are_pages_and_below_api_problems(
    shared_lone_visitor: Visitor,
) -> None:
    page = await shared_lone_visitor.get("/nowhere/at/all")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found" in page.text
    problem = await shared_lone_visitor.get("/api/v1/nowhere")
    assert problem.headers["content-type"] == "application/problem+json"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_method_is_a_page(shared_lone_visitor: Visitor) -> None:
    answer = await shared_lone_visitor.get("/sign-out")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert "Method not allowed" in answer.text


@pytest.mark.asyncio(loop_scope="module")
async def test_a_page_of_an_error_names_no_section_to_strangers(
    shared_lone_visitor: Visitor,
) -> None:
    async with browsing(shared_lone_visitor.running) as stranger:
        assert 'aria-label="Sections"' not in (await stranger.get("/nowhere")).text
    assert 'aria-label="Sections"' in (await shared_lone_visitor.get("/nowhere")).text


async def test_while_the_database_is_away_pages_say_so(lone_visitor: Visitor) -> None:
    lone_visitor.running.runtime.prepared.clear()
    for path in ("/", "/sign-in"):
        answer = await lone_visitor.get(path)
        assert answer.status_code == 503
        assert "Texts that arrive in the meantime are kept" in answer.text


async def test_files_are_kept_for_ever_under_an_address_with_their_digest(
    lone_visitor: Visitor,
) -> None:
    paths = set(re.findall(r'"(/static/[^"]+)"', await lone_visitor.read("/")))
    assert {path.rpartition(".")[2] for path in paths} == {"css", "js", "svg"}
    for path in paths:
        answer = await lone_visitor.get(path)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        older = re.sub("/static/[^/]+", "/static/0123456789abcdef", path)
        other = await lone_visitor.get(older)
        assert (other.content, other.headers["cache-control"]) == (answer.content, "no-cache")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("digits", ["9" * 19, "9" * 30, "9" * 5000])
@pytest.mark.parametrize("path", ["/outbox/", "/messages/", "/conversations/", "/rules/"])
async def test_an_id_that_no_row_has_is_not_found(
    shared_lone_visitor: Visitor, path: str, digits: str
) -> None:
    assert (await shared_lone_visitor.get(path + digits)).status_code == 404


async def test_a_place_that_no_page_of_the_outbox_has_is_its_end(lone_visitor: Visitor) -> None:
    for place in ("0-99999999999999999999", "99999999999999999999-1", "x-1"):
        assert (await lone_visitor.get(f"/outbox?before={place}")).status_code == 200


async def test_every_cookie_is_secure_where_the_address_is(lone_visitor: Visitor) -> None:
    answer = await lone_visitor.post("/sign-out")
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert all("; secure" in cookie.lower() for cookie in cookies)


async def test_a_form_that_is_too_large_or_broken_is_a_page_too(lone_visitor: Visitor) -> None:
    large = await lone_visitor.post("/sign-in/link", {"link": "x" * 300_000})
    assert (large.status_code, "Too large" in large.text) == (413, True)
    headers = {"Origin": "https://texts.example.com", "Content-Type": "multipart/form-data"}
    broken = await lone_visitor.client.post("/sign-in/link", content=b"x", headers=headers)
    assert broken.status_code == 400
