"""Members on the pages: invited, signed in by their own password, their sessions, deactivated."""

import asyncio
import html
import re
from pathlib import Path

import pytest

from app.storage.access.members import read_password_hash
from app.storage.access.sessions import list_sessions
from app.web.core.shown_once import LIFE
from tests.web.visiting import Visitor, browsing, visiting

PASSWORD = "a wall of bricks"


def find_link(page: str) -> str:
    """The address that the page shows, below our own."""
    [link] = re.findall(r'id="link" value="https?://[^/]+(/sign-in[^"]+)"', page)
    return html.unescape(link)


async def invite(admin: Visitor, name: str = "Grace", role: str = "office") -> str:
    return find_link(await admin.submit("/members", {"name": name, "role": role}))


async def accept(visitor: Visitor, link: str, password: str = PASSWORD) -> int:
    token = link.partition("=")[2]
    form = {"link": token, "password": password, "again": password}
    return (await visitor.post("/sign-in/invitation", form)).status_code


async def sign_in(visitor: Visitor, name: str = "Grace", password: str = PASSWORD) -> int:
    answer = await visitor.post("/sign-in", {"name": name, "password": password})
    return answer.status_code


async def test_an_invited_member_chooses_a_password_and_signs_in_by_it(visitor: Visitor) -> None:
    link = await invite(visitor)
    async with browsing(visitor.running) as grace, browsing(visitor.running) as other:
        for _ in range(2):
            assert "you sign in as <strong" in await grace.read(link)
        token = link.partition("=")[2]
        differing = {"link": token, "password": PASSWORD, "again": "another"}
        for form in ({"link": token, "password": "short", "again": "short"}, differing):
            answer = await grace.post("/sign-in/invitation", form)
            assert answer.status_code == 422
            assert PASSWORD not in answer.text
        assert (await grace.post("/sign-in/link", {"link": token})).status_code == 403
        statuses = await asyncio.gather(accept(grace, link), accept(other, link))
        assert sorted(statuses) == [303, 403]
        assert (await other.get(link)).status_code == 403
        assert await sign_in(other, "GRACE") == 303
        assert "Grace" in await other.read("/account")
        assert await sign_in(other, password="something else") == 422
    page = await visitor.read("/members")
    assert page.index("Grace") < page.rindex("Ada")
    kept = await visitor.running.runtime.database.read(read_password_hash, "Grace")
    assert str(kept).startswith("$argon2id$")


async def test_a_link_is_shown_until_its_page_is_left(lone_visitor: Visitor) -> None:
    answer = await lone_visitor.post("/members", {"name": "Grace", "role": "office"})
    path = answer.headers["location"]
    link = find_link(await lone_visitor.read(path))
    cookie = next(each for each in lone_visitor.client.cookies.jar if "once" in each.name)
    assert link.partition("=")[2] not in str(cookie.value)
    assert find_link(await lone_visitor.read(path)) == link, "it is there after reloading"
    part = await lone_visitor.get("/", headers={"X-Letterbox-Part": "rows"})
    assert part.status_code == 200
    assert find_link(await lone_visitor.read(path)) == link, "another tab's refresh leaves it"
    await lone_visitor.read("/members")
    assert 'id="link"' not in await lone_visitor.read(path)


async def test_a_link_is_shown_to_nobody_else_and_not_for_ever(lone_visitor: Visitor) -> None:
    answer = await lone_visitor.post("/members", {"name": "Grace", "role": "office"})
    path = answer.headers["location"]
    [kept] = [each for each in lone_visitor.client.cookies.jar if "once" in each.name]
    async with browsing(lone_visitor.running) as other:
        await other.sign_in("Joan")
        for value in (str(kept.value), str(kept.value)[:-4], "AAAA", "ä"):
            cookies = "; ".join(f"{each.name}={each.value}" for each in other.client.cookies.jar)
            header = f"{cookies}; {kept.name}={value}".encode()
            page = await other.get(path, headers={b"Cookie": header})
            assert (page.status_code, 'id="link"' in page.text) == (200, False)
    assert 'id="link"' in await lone_visitor.read(path)
    lone_visitor.running.clock.now += LIFE
    assert 'id="link"' not in await lone_visitor.read(path)


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [
        ("/numbers", {"number": "07700 900123"}, "auth-value"),
        ("/numbers/447700900100/rotate", {"overlap": "0"}, "auth-value"),
        ("/numbers/shared-auth", {}, "shared-auth"),
        ("/keys", {"name": "shop", "scopes": "admin"}, "new-key"),
    ],
)
async def test_a_new_secret_survives_a_reload_and_is_gone_once_its_page_is_left(
    sqlite_url: str, tmp_path: Path, path: str, form: dict[str, str], field: str
) -> None:
    async with visiting(sqlite_url, tmp_path, inbound_auth=None) as visitor:
        await visitor.running.send("POST", "/numbers", {"number": "447700900100"})
        answer = await visitor.post(path, form)
        assert answer.status_code == 303
        there = answer.headers["location"]
        shown = [
            re.findall(rf'id="{field}" value="([^"]+)"', await visitor.read(there))
            for _ in range(2)
        ]
        assert shown[0] == shown[1]
        assert len(shown[0]) == 1
        assert shown[0][0] not in str(visitor.client.cookies)
        await visitor.read("/")
        assert f'id="{field}"' not in await visitor.read(there)


async def test_deactivating_ends_everything_at_once_and_keeps_the_history(
    visitor: Visitor,
) -> None:
    link = await invite(visitor)
    async with browsing(visitor.running) as grace:
        assert await accept(grace, link) == 303
        await grace.submit("/opt-outs", {"number": "07700 900123"})
        renewed = find_link(await visitor.submit("/members/2/link"))
        assert "Deactivate Grace?" in await visitor.read("/members/2/deactivate")
        assert "Grace is deactivated." in await visitor.submit("/members/2/deactivate")
        answer = await grace.get("/")
        assert answer.headers["location"] == "/sign-in"
        assert "Your session has ended." in await grace.read("/sign-in")
        assert (await grace.get(renewed)).status_code == 403
        assert await sign_in(grace) == 422
        assert "Grace" in await visitor.read("/audit")
        assert "Grace can sign in again." in await visitor.submit("/members/2/activate")
        assert await sign_in(grace) == 303


async def test_a_new_link_replaces_a_lost_password_and_ends_the_sessions(
    visitor: Visitor,
) -> None:
    link = await invite(visitor)
    async with browsing(visitor.running) as grace, browsing(visitor.running) as new:
        assert await accept(grace, link) == 303
        first, second = [find_link(await visitor.submit("/members/2/link")) for _ in range(2)]
        assert await accept(new, first, "another password") == 403
        assert await accept(new, second, "another password") == 303
        assert (await grace.get("/")).status_code == 303
        assert await sign_in(grace) == 422
        assert await sign_in(grace, password="another password") == 303


async def test_people_change_their_own_password_and_end_their_own_sessions(
    visitor: Visitor,
) -> None:
    link = await invite(visitor)
    async with browsing(visitor.running) as grace, browsing(visitor.running) as phone:
        assert await accept(grace, link) == 303
        assert await sign_in(phone) == 303
        form = {"current": "wrong", "password": "an even longer one", "again": "an even longer one"}
        answer = await grace.post("/account/password", form)
        assert 'id="current-error"' in answer.text
        done = await grace.submit("/account/password", form | {"current": PASSWORD})
        assert "You are signed out of 1 other browser." in done
        assert (await phone.get("/")).status_code == 303
        assert await sign_in(phone, password="an even longer one") == 303
        page = await grace.read("/account")
        ends = re.findall(r'action="(/account/sessions/\d+/end)"', page)
        assert len(ends) == 1, "one's own session is ended by signing out"
        found = await visitor.running.runtime.database.read(
            list_sessions, now=visitor.running.clock.now, member_id=1, limit=9
        )
        assert (await grace.post(f"/account/sessions/{found[0].id}/end")).status_code == 404
        assert "You are signed out of that browser." in await grace.submit(ends[0])
        assert (await phone.get("/")).status_code == 303
        assert await sign_in(phone, password="an even longer one") == 303
        listed = await visitor.read("/members/sessions")
        for end in re.findall(r'action="(/members/sessions/\d+/end)"', listed):
            await visitor.submit(end)
        assert (await grace.get("/")).status_code == 303
        assert (await phone.get("/")).status_code == 303
        assert (await visitor.get("/")).status_code == 200


async def test_wrong_current_passwords_wait_as_others_do(visitor: Visitor) -> None:
    link = await invite(visitor)
    async with browsing(visitor.running) as grace:
        await accept(grace, link)
        form = {"current": "wrong", "password": "an even longer one", "again": "an even longer one"}
        statuses = [(await grace.post("/account/password", form)).status_code for _ in range(5)]
        assert statuses == [422, 422, 422, 429, 429]


async def test_an_admin_changes_names_and_roles_but_not_the_last_admins(visitor: Visitor) -> None:
    await invite(visitor)
    changes = {"name": "Grace Hopper", "role": "admin"}
    assert "Grace Hopper" in await visitor.submit("/members/2", changes)
    answer = await visitor.post("/members/2", {"name": "ADA", "role": "admin"})
    assert (answer.status_code, "called ADA already" in answer.text) == (422, True)
    answer = await visitor.post("/members/1", {"name": "Ada", "role": "office"})
    assert (answer.status_code, "only active admin" in answer.text) == (422, True)
    assert (await visitor.post("/members/1/deactivate")).status_code == 409
    answer = await visitor.post("/members/2", {"name": "Grace", "role": "owner"})
    assert (answer.status_code, "Choose a role" in answer.text) == (422, True)
