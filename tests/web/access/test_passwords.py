"""Signing in by password: whom it admits, and what ends when it changes."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher

from app.domain.access.passwords import hash_password, is_outdated
from app.storage.access.members import (
    add_member,
    list_members,
    read_password_hash,
    set_password_hash,
)
from app.storage.access.sessions import list_sessions
from tests.web.access.passwords import PASSWORD, guessing, try_password
from tests.web.visiting import browsing, visiting


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


async def test_a_wrong_password_keeps_the_name_and_says_so_beside_the_field(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with visiting(sqlite_url, tmp_path, name=None, admin_password=PASSWORD) as visitor:
        answer = await visitor.post("/sign-in", {"name": "Ada <b>", "password": "guessed it"})
        assert 'value="Ada &lt;b&gt;"' in answer.text
        assert 'id="password-error">This is not the password' in answer.text
        assert "guessed it" not in answer.text
        assert await try_password(visitor, name=" ") == 422


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


async def test_the_shared_password_says_when_it_has_made_a_new_member(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with guessing(sqlite_url, tmp_path) as visitor:
        for name, is_new in (("Ada", True), ("ada", False)):
            form = {"name": name, "password": PASSWORD}
            page = await visitor.submit("/sign-in", form)
            assert ("Ada is a new member, an admin." in page) is is_new


@pytest.mark.parametrize("password", [PASSWORD, None])
async def test_the_account_speaks_of_a_shared_password_only_if_there_is_one(
    sqlite_url: str, tmp_path: Path, password: str | None
) -> None:
    async with visiting(sqlite_url, tmp_path, admin_password=password) as visitor:
        page = await visitor.read("/account")
        assert "can create a sign-in link can sign in under your name" in page
        assert ("the shared admin password" in page) is (password is not None)
        database, now = visitor.running.runtime.database, visitor.running.clock.now
        await database.write(add_member, "Grace", "office", "active", now)
        async with browsing(visitor.running) as office:
            await office.sign_in("Grace")
            # It opens no name of the office.
            assert "the shared admin password" not in await office.read("/account")
