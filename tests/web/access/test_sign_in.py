"""Signing in and out: links that work once, the password and its throttle, sessions' ends."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from app.domain.access.passwords import hash_password, is_outdated
from app.domain.access.throttle import list_limits
from app.domain.errors import Conflict
from app.flows.access.sign_in import SESSION_LIFE
from app.storage.access import sessions as storage
from app.storage.access.audit import add_failed_sign_in, forget_failed_sign_ins, list_audit
from app.storage.access.members import (
    add_member,
    change_member,
    get_member,
    list_members,
    read_password_hash,
    set_password_hash,
)
from app.storage.access.sessions import list_sessions
from app.storage.db.database import Connection, Database
from app.storage.tables.access import login_links, sessions, sign_in_failures
from tests.api.running import BASE_URL
from tests.conftest import NOW
from tests.web.visiting import Visitor, browsing, visiting

PASSWORD = "correct horse"


async def try_password(visitor: Visitor, password: str = PASSWORD, name: str = "Ada") -> int:
    answer = await visitor.post("/sign-in", {"name": name, "password": password})
    return answer.status_code


def guessing(database_url: str, folder: Path) -> AbstractAsyncContextManager[Visitor]:
    """Somebody who has not signed in, where the pages have a password."""
    return visiting(database_url, folder, name=None, admin_password=PASSWORD)


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


async def test_wrong_passwords_are_throttled_before_they_are_looked_at(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        statuses = await asyncio.gather(*[try_password(visitor, "wrong") for _ in range(6)])
        assert sorted(statuses) == [422] * 3 + [429] * 3
        assert await try_password(visitor) == 429
        visitor.running.clock.now += timedelta(seconds=1)
        assert await try_password(visitor) == 303


async def test_each_wrong_password_doubles_the_wait_up_to_a_quarter_of_an_hour(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        clock = visitor.running.clock
        assert [await try_password(visitor, "wrong") for _ in range(3)] == [422] * 3
        waits = []
        for _ in range(13):
            answer = await visitor.post("/sign-in", {"name": "Ada", "password": "wrong"})
            assert answer.status_code == 429
            waits.append(int(answer.headers["retry-after"]))
            clock.now += timedelta(seconds=waits[-1] - 1)
            assert await try_password(visitor, "wrong") == 429, "waiting costs nothing more"
            clock.now += timedelta(seconds=1)
            assert await try_password(visitor, "wrong") == 422
        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
        page = (await visitor.post("/sign-in", {"name": "Ada", "password": "wrong"})).text
        assert "Too many wrong passwords: wait 15 minutes, or run" in page
        clock.now += timedelta(days=1)
        assert await try_password(visitor, "wrong") == 422, "it is forgotten after a day"


async def test_who_guesses_locks_out_nobody_else_behind_the_same_address(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        for _ in range(8):
            await try_password(visitor, "wrong", name="Mallory")
        assert await try_password(visitor, name="Mallory") == 429
        assert await try_password(visitor, name="Grace") == 303


async def test_names_that_change_with_each_guess_wait_as_well(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        await visitor.sign_in("Grace")
        statuses = [await try_password(visitor, "wrong", name=f"Eve {n}") for n in range(25)]
        assert statuses == [422] * 20 + [429] * 5
        assert await try_password(visitor, name="Ada") == 429
        assert await try_password(visitor, name="Grace") == 303, "she has signed in before"
        visitor.running.clock.now += timedelta(seconds=1)
        assert await try_password(visitor, name="Ada") == 303


async def test_a_right_password_takes_back_what_was_wrong_under_its_name(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        for _ in range(3):
            for _ in range(2):
                assert await try_password(visitor, "wrong") == 422
            assert await try_password(visitor) == 303


async def test_what_is_counted_of_guesses_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "KEPT_FAILURES", 10)

    def count(conn: Connection) -> int:
        return len(conn.execute(select(sign_in_failures.c.who)).all())

    for number in range(30):
        limits = list_limits(f"Eve {number}", f"192.0.2.{number}", is_known=False)
        await database.write(storage.count_attempt, limits, NOW + timedelta(minutes=number))
    assert await database.read(count) <= 14
    await database.write(storage.count_attempt, limits, NOW + timedelta(days=2))
    assert await database.read(count) == 4


async def test_failed_sign_ins_are_in_the_audit_with_their_address(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        await try_password(visitor, "wrong", name="Eve")
        assert await try_password(visitor, name="Ada") == 303
        await visitor.submit("/sign-out")
        entries = (await visitor.running.call("GET", "/audit")).json()["items"]
        found = [
            (each["action"], each["actor"], each["subject"], each["address"]) for each in entries
        ]
        assert found == [
            ("session.end", "member:mem_1", "Ada", "127.0.0.1"),
            ("session.begin", "member:mem_1", "Ada", "127.0.0.1"),
            ("member.add", "member:mem_1", "mem_1", "127.0.0.1"),
            ("session.fail", "stranger", "Eve", "127.0.0.1"),
        ]
        assert "wrong" not in str(entries)


async def test_strangers_cannot_fill_the_audit(database: Database) -> None:
    def fail(conn: Connection, now: datetime) -> None:
        for number in range(60):
            add_failed_sign_in(conn, "Eve", f"192.0.2.{number}", now)

    async def count() -> int:
        return len(await database.read(list_audit, before=None, limit=999))

    for _ in range(3):
        await database.write(fail, NOW)
    assert await count() == 100
    await database.write(fail, NOW + timedelta(hours=1))
    assert await count() == 160
    later = NOW + timedelta(days=90, minutes=1)
    assert await database.write(forget_failed_sign_ins, later, limit=999) == 100
    assert await count() == 60


async def test_another_password_ends_the_sessions_that_the_old_one_opened(
    database_url: str, tmp_path: Path
) -> None:
    cookies = {}
    async with visiting(database_url, tmp_path, admin_password=PASSWORD) as visitor:
        cookies["link"] = visitor.client.cookies
        async with browsing(visitor.running) as other:
            assert await try_password(other, name="Grace") == 303
            cookies["password"] = other.client.cookies

    async def look(password: str | None) -> dict[str, int]:
        """What the home page answers to each after a start with that password."""
        statuses = {}
        async with visiting(database_url, tmp_path, name=None, admin_password=password) as visitor:
            for by, kept in cookies.items():
                visitor.client.cookies = kept
                statuses[by] = (await visitor.get("/")).status_code
        return statuses

    assert await look(PASSWORD) == {"link": 200, "password": 200}
    assert await look(f"{PASSWORD} battery") == {"link": 200, "password": 303}
    assert await look(None) == {"link": 200, "password": 303}


async def test_right_passwords_count_for_nothing(sqlite_url: str, tmp_path: Path) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        for number in range(25):
            assert await try_password(visitor, name=f"Ada {number}") == 303


async def test_a_wrong_password_keeps_the_name_and_says_so_beside_the_field(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with visiting(sqlite_url, tmp_path, name=None, admin_password=PASSWORD) as visitor:
        answer = await visitor.post("/sign-in", {"name": "Ada <b>", "password": "guessed it"})
        assert 'value="Ada &lt;b&gt;"' in answer.text
        assert 'id="password-error">This is not the password' in answer.text
        assert "guessed it" not in answer.text
        assert await try_password(visitor, name=" ") == 422


async def test_without_a_password_only_links_open_the_pages(lone_visitor: Visitor) -> None:
    async with browsing(lone_visitor.running) as visitor:
        assert 'type="password"' not in await visitor.read("/sign-in")
        assert await try_password(visitor, "") == 403


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


@pytest.mark.parametrize("names", [("Ada", "ADA"), ("Zoë Straße", "zoë  STRASSE")])
async def test_a_name_in_another_case_is_the_same_member(
    names: tuple[str, str], sqlite_url: str, tmp_path: Path
) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        for name in names:
            assert await try_password(visitor, name=name) == 303
        [member] = await visitor.running.runtime.database.read(list_members, before=None, limit=9)
        assert (member.name, member.role, member.state) == (names[0], "admin", "active")


async def test_the_admin_password_opens_nobody_elses_name(
    database_url: str, tmp_path: Path
) -> None:
    async with guessing(database_url, tmp_path) as visitor:
        database, now = visitor.running.runtime.database, visitor.running.clock.now
        await database.write(add_member, "Grace", "office", "active", now)
        await database.write(add_member, "Mary", "admin", "invited", now)
        gone = await database.write(add_member, "Edith", "admin", "deactivated", now)
        own = await database.write(add_member, "Joan", "admin", "active", now)
        await database.write(set_password_hash, own.id, hash_password("Joan's own secret"))
        for name in ("grace", "Mary", "Edith", "Joan"):
            answer = await visitor.post("/sign-in", {"name": name, "password": PASSWORD})
            assert (answer.status_code, 'id="name-error"' in answer.text) == (422, True)
        assert await try_password(visitor, "Joan's own secret", name="JOAN") == 303
        assert await database.read(list_sessions, now=now, limit=9, member_id=gone.id) == []
        [session] = await database.read(list_sessions, now=now, limit=9)
        assert (session.name, session.proof) == ("Joan", None)
        trail = (await visitor.running.call("GET", "/audit")).json()["items"]
        assert [(each["actor"], each["detail"]) for each in trail] == [
            (own.actor, {"by": "password"})
        ]


async def test_a_hash_with_old_parameters_is_replaced_when_its_password_is_used(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        database, now = visitor.running.runtime.database, visitor.running.clock.now
        joan = await database.write(add_member, "Joan", "office", "active", now)
        old = PasswordHasher(time_cost=1, memory_cost=1024).hash("Joan's own secret")
        await database.write(set_password_hash, joan.id, old)
        assert await try_password(visitor, "wrong", name="Joan") == 422
        assert await database.read(read_password_hash, "Joan") == old
        for _ in range(2):
            assert await try_password(visitor, "Joan's own secret", name="Joan") == 303
        renewed = await database.read(read_password_hash, "Joan")
        assert not is_outdated(renewed or "")


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
