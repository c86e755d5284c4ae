"""Signing in and out: links that work once, cookies, how long sessions last."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.domain.errors import Conflict
from app.flows.access.sign_in import SESSION_LIFE
from app.storage.access.members import (
    add_member,
    change_member,
    get_member,
)
from app.storage.db.database import Connection
from app.storage.tables.access import login_links, sessions
from tests.web.access.passwords import PASSWORD, guessing, try_password
from tests.web.visiting import Visitor, browsing, visiting


async def test_a_page_without_a_session_leads_to_signing_in_and_back(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with visiting(sqlite_url, tmp_path, name=None, admin_password=PASSWORD) as visitor:
        answer = await visitor.get("/?number=447700900100&q=a%26b")
        assert answer.status_code == 303
        form = await visitor.read(answer.headers["location"])
        assert 'value="/?number=447700900100&amp;q=a%26b"' in form
        answer = await visitor.post(
            "/sign-in", {"name": "Ada", "password": PASSWORD, "next": "/?number=447700900100"}
        )
        assert answer.headers["location"] == "/?number=447700900100"
        assert (await visitor.get("/")).status_code == 200


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
async def test_signing_in_leads_to_no_other_site(
    sqlite_url: str, tmp_path: Path, path: str
) -> None:
    async with visiting(sqlite_url, tmp_path, name=None, admin_password=PASSWORD) as visitor:
        form = {"name": "Ada", "password": PASSWORD, "next": path}
        assert (await visitor.post("/sign-in", form)).headers["location"] == "/"


async def test_a_link_opens_one_session_and_looking_at_it_uses_nothing_up(
    visitor: Visitor,
) -> None:
    token = await visitor.make_link("Grace")
    async with browsing(visitor.running) as one, browsing(visitor.running) as other:
        for _ in range(3):
            assert "Grace" in await one.read(f"/sign-in?link={token}")
        answers = await asyncio.gather(
            one.post("/sign-in/link", {"link": token}), other.post("/sign-in/link", {"link": token})
        )
        assert sorted(answer.status_code for answer in answers) == [303, 403]
        assert (await one.get(f"/sign-in?link={token}")).status_code == 403


async def test_a_link_is_good_for_fifteen_minutes(lone_visitor: Visitor) -> None:
    token = await lone_visitor.make_link()
    lone_visitor.running.clock.now += timedelta(minutes=15)
    answer = await lone_visitor.get(f"/sign-in?link={token}")
    assert answer.status_code == 403
    assert "letterbox login-link" in answer.text
    assert (await lone_visitor.post("/sign-in/link", {"link": token})).status_code == 403


async def test_neither_links_nor_sessions_are_kept_in_the_clear(visitor: Visitor) -> None:
    token = await visitor.make_link()
    [cookie] = visitor.client.cookies.jar

    def read(conn: Connection) -> list[bytes]:
        return [
            digest
            for table in (sessions, login_links)
            for digest in conn.execute(select(table.c.digest)).scalars()
        ]

    digests = await visitor.running.runtime.database.read(read)
    assert len(digests) == 3
    assert all(len(digest) == 32 for digest in digests)
    assert not {token.encode(), str(cookie.value).encode()} & set(digests)


async def test_the_cookie_is_for_this_host_and_no_script(sqlite_url: str, tmp_path: Path) -> None:
    async with visiting(sqlite_url, tmp_path, name=None) as visitor:
        answer = await visitor.post("/sign-in/link", {"link": await visitor.make_link()})
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("__host-letterbox_session=")
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= set(cookie.split("; "))


async def test_signing_out_ends_this_session_alone(visitor: Visitor) -> None:
    async with browsing(visitor.running) as other:
        await other.sign_in("Ada")
        assert "You are signed out." in await visitor.submit("/sign-out")
        assert (await visitor.get("/")).status_code == 303
        assert (await other.get("/")).status_code == 200


async def test_signing_out_everywhere_ends_all_sessions_of_that_name(visitor: Visitor) -> None:
    async with browsing(visitor.running) as same, browsing(visitor.running) as another:
        await same.sign_in("Ada")
        await another.sign_in("Grace")
        assert "Ada is signed out of 2 browsers." in await visitor.submit("/sign-out/everywhere")
        assert (await same.get("/")).status_code == 303
        assert (await another.get("/")).status_code == 200


async def test_a_session_lasts_as_long_as_it_is_used(visitor: Visitor) -> None:
    clock = visitor.running.clock
    for _ in range(3):
        clock.now += SESSION_LIFE - timedelta(days=1)
        assert (await visitor.get("/")).status_code == 200
    clock.now += SESSION_LIFE
    assert (await visitor.get("/")).status_code == 303


async def test_a_cookie_that_we_did_not_give_opens_nothing(lone_visitor: Visitor) -> None:
    async with browsing(lone_visitor.running) as stranger:
        for value in ("", "x", "ä" * 9000, "../../etc"):
            cookie = f"__Host-letterbox_session={value}".encode()
            answer = await stranger.get("/", headers={b"Cookie": cookie})
            assert answer.status_code == 303


async def test_without_a_password_only_links_open_the_pages(lone_visitor: Visitor) -> None:
    async with browsing(lone_visitor.running) as visitor:
        assert 'type="password"' not in await visitor.read("/sign-in")
        assert await try_password(visitor, "") == 403


async def test_a_login_link_signs_in_who_has_the_name_and_nobody_who_was_deactivated(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        database, now = visitor.running.runtime.database, visitor.running.clock.now
        grace = await database.write(add_member, "Grace", "office", "active", now)
        token = await visitor.make_link("GRACE")
        assert (await visitor.post("/sign-in/link", {"link": token})).status_code == 303
        found = await database.read(get_member, grace.id)
        assert (found.role, found.last_seen_at) == ("office", now)
        token = await visitor.make_link("Grace")
        await database.write(change_member, grace.id, {"state": "deactivated"})
        assert (await visitor.post("/sign-in/link", {"link": token})).status_code == 403
        assert (await visitor.get("/")).status_code == 303, "her session has ended"
        with pytest.raises(Conflict):
            await visitor.make_link("Grace")


async def test_a_link_for_a_name_that_nobody_has_says_that_it_adds_a_member(
    visitor: Visitor,
) -> None:
    for name, is_new in (("Gace", True), ("ada", False)):
        page = await visitor.read(f"/sign-in?link={await visitor.make_link(name)}")
        assert ("No member has this name yet" in page) is is_new
