"""What members of the office may use, and what is for admins alone."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.storage.access.members import add_member
from app.web.application import Pages
from app.web.core.navigation import MENU
from app.web.core.roles import ROLES, find_role
from tests.web.visiting import Visitor, browsing, visiting

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN_TO_STRANGERS = {"/sign-in", "/sign-in/link", "/sign-in/invitation", "/static/{digest}/{name}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clerk(
    shared_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Visitor]:
    """Grace of the office."""
    folder = tmp_path_factory.mktemp("roles")
    async with visiting(shared_database_url, folder, name=None) as visitor:
        now = visitor.running.clock.now
        database = visitor.running.runtime.database
        await database.write(add_member, "Grace", "office", "active", now)
        await visitor.sign_in("Grace")
        yield visitor


def list_routes(visitor: Visitor) -> list[tuple[str, str]]:
    """Every page and form: its path and method."""
    routes = Pages(visitor.running.runtime).routes
    return [
        (route.path, method)
        for route in routes
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


async def ask(visitor: Visitor, path: str, method: str) -> tuple[int, str]:
    there = re.sub(r"\{\w+:int\}", "999", path)
    there = re.sub(r"\{\w+\}", "447700900001", there)
    answer = await (visitor.get(there) if method == "GET" else visitor.post(there))
    return answer.status_code, answer.text


async def test_members_of_the_office_use_every_page_but_those_of_admins(clerk: Visitor) -> None:
    refused: set[str] = set()
    allowed: set[str] = set()
    for path, method in list_routes(clerk):
        if path in OPEN_TO_STRANGERS or path in {"/live", "/sign-out", "/sign-out/everywhere"}:
            continue
        status, text = await ask(clerk, path, method)
        if status == 403:
            assert "Only admins can use this page" in text, path
            assert "Ask an admin to do it for you" in text
        (refused if status == 403 else allowed).add(path)
    assert refused == {path for path in refused | allowed if find_role(path) == "admin"}
    assert {"/", "/new", "/outbox", "/opt-outs", "/conversations/{id:int}/reply"} <= allowed
    assert {"/members", "/keys", "/audit", "/rules/new", "/messages/{id:int}/replay"} <= refused


async def test_every_path_that_needs_a_session_has_a_role_and_every_role_a_path(
    clerk: Visitor,
) -> None:
    paths = {path for path, _ in list_routes(clerk)} - OPEN_TO_STRANGERS
    used = {path if path in ROLES else f"/{path.split('/')[1]}" for path in paths}
    assert used == set(ROLES)
    with pytest.raises(RuntimeError, match=r"say in app/web/core/roles.py who may use /novel"):
        find_role("/novel/{id:int}")


async def test_the_menu_shows_what_the_member_may_use(clerk: Visitor) -> None:
    page = await clerk.read("/")
    async with browsing(clerk.running) as admin:
        await admin.sign_in("Ada")
        full = await admin.read("/")
    for group in MENU:
        for section in group.sections:
            entry = f'<a href="{section.path}"'
            assert entry in full
            assert (entry in page) == (find_role(section.path) == "office"), section


async def test_a_stranger_is_asked_to_sign_in_on_an_admins_page(clerk: Visitor) -> None:
    async with browsing(clerk.running) as stranger:
        answer = await stranger.get("/keys")
        assert answer.headers["location"] == "/sign-in?next=/keys"
