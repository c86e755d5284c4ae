"""A service below a path of its host, behind proxies that take the path off or leave it on."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urljoin

import httpx2
import pytest

from app.domain.access.own_address import PAGES, PARENTS, RootPath
from app.main import REST_PARTS
from app.web.application import Pages
from tests.api.running import running
from tests.support.messages import make_message
from tests.web.visiting import Visitor

TEMPLATES = Path("app/web/templates")
ADDRESSES = re.compile(r'\b(?:href|action|src|formaction|data-address)="([^"]*)"')
# What Python makes of a list's own address, with the path on it.
MADE = {"{{ csv }}", "{{ older }}", "{{ newest }}"}
ROOTS = ["/texts", "/b%C3%BCro/a", "/api"]


class Proxy(httpx2.AsyncBaseTransport):
    """A proxy that others stand beside: it passes on what lies below the path alone."""

    def __init__(self, app: object, root: str, *, strips: bool) -> None:
        self._inner = httpx2.ASGITransport(app)  # type: ignore[arg-type]
        self._root = unquote(root)
        self._strips = strips

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        assert path == self._root or path.startswith(f"{self._root}/"), f"outside: {path}"
        if self._strips:
            url = request.url.copy_with(path=path.removeprefix(self._root) or "/")
            request = httpx2.Request(
                request.method, url, headers=request.headers, stream=request.stream
            )
        return await self._inner.handle_async_request(request)


@pytest.fixture(params=[True, False], ids=["stripping", "passing"])
def strips(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=ROOTS)
def root(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def neighbour(
    sqlite_url: str, tmp_path: Path, root: str, strips: bool
) -> AsyncIterator[Visitor]:
    """Somebody's browser, which knows the service by its public address alone."""
    public = f"https://example.com{root}"
    async with running(sqlite_url, tmp_path, None, public_url=public) as started:
        transport = Proxy(started.app, root, strips=strips)
        async with httpx2.AsyncClient(transport=transport) as client:
            yield Visitor(started, client)


@pytest.mark.slow
async def test_every_link_form_and_file_of_the_pages_is_below_the_path(
    neighbour: Visitor, root: str
) -> None:
    base = f"https://example.com{root}"
    origin = {"Origin": "https://example.com"}
    asked = await neighbour.get(f"{base}/outbox?status=queued")
    assert asked.headers["location"] == f"{root}/sign-in?next=/outbox%3Fstatus%3Dqueued"
    signed_in = await neighbour.post(
        f"{base}/sign-in/link", {"link": await neighbour.make_link()}, headers=origin
    )
    assert signed_in.headers["location"] == f"{root}/"
    cookie = signed_in.headers["set-cookie"]
    assert cookie.startswith("__Secure-letterbox_session=")
    assert f"; Path={root};" in cookie
    await neighbour.receive(*(make_message(number) for number in range(1, 60)))
    seen, waiting = set(), [root, f"{root}/", f"{root}/reports"]
    while waiting:
        path = waiting.pop().replace("&amp;", "&").partition("#")[0]
        if path in seen or not path:
            continue
        seen.add(path)
        assert path == root or path.startswith(f"{root}/"), path
        answer = await neighbour.get(f"https://example.com{path}")
        assert answer.status_code in {200, 303, 405, 422, 503}, (path, answer.text)
        if answer.headers.get("content-type", "").startswith("text/html") and len(seen) < 90:
            found = ADDRESSES.findall(answer.text)
            waiting += [urljoin(path, each) for each in found if each[:1] != "#"]
    assert {f"{root}/outbox", f"{root}/new", f"{root}/opt-outs"} <= seen
    assert any(path.startswith(f"{root}/static/") for path in seen)
    assert any("before=" in path for path in seen)
    saved = await neighbour.post(f"{base}/numbers", {"number": "07700 900001"}, headers=origin)
    assert saved.headers["location"] == f"{root}/numbers/447700900001"
    assert 'id="auth-value"' in (await neighbour.get(f"{base}/numbers/447700900001")).text
    left = await neighbour.post(f"{base}/sign-out", headers=origin)
    assert left.headers["location"] == f"{root}/sign-in"
    assert all(f"Path={root}" in each for each in left.headers.get_list("set-cookie"))


async def test_programs_and_the_provider_reach_it_below_the_path(
    neighbour: Visitor, root: str
) -> None:
    base = f"https://example.com{root}"
    key = {"Authorization": f"Bearer {neighbour.running.runtime.secrets.api_key}"}
    auth = neighbour.running.runtime.secrets.inbound_auth
    for number, path in enumerate(("/inbound", "/inbound/", "/Inbound"), 1):
        forward = f"source=447700900123&dest=447700900456&msg=Hello&id={number}&auth={auth}"
        taken = await neighbour.get(f"{base}{path}?{forward}")
        assert (taken.status_code, taken.text) == (200, "OK")
    assert (await neighbour.get(f"{base}/livez")).status_code == 200
    listed = await neighbour.get(f"{base}/api/v1/messages?limit=1", headers=key)
    assert listed.headers["link"].startswith(f"<{base}/api/v1/messages?limit=1&cursor=")
    added = await neighbour.client.post(
        f"{base}/api/v1/keys", json={"name": "till", "scopes": ["admin"]}, headers=key
    )
    assert added.headers["location"].startswith(f"{base}/api/v1/keys/")
    assert (await neighbour.get(added.headers["location"], headers=key)).status_code == 200
    docs = await neighbour.get(f"{base}/docs")
    for name in ("docs.css", "openapi.json"):
        assert f'"{name}"' in docs.text
        assert (await neighbour.get(f"{base}/{name}")).status_code == 200


@pytest.mark.parametrize(
    ("root", "path", "own"),
    [
        ("", "/texts/1/cancel", "/texts/1/cancel"),
        ("/texts", "/texts", "/"),
        ("/texts", "/texts/", "/"),
        ("/texts", "/texts/texts/1/cancel", "/texts/1/cancel"),
        ("/texts", "/texts/1/cancel", "/texts/1/cancel"),
        ("/texts", "/textsandmore", "/textsandmore"),
        ("/texts", "//outbox", "/outbox"),
        ("/a/b", "/a/b/api/v1", "/api/v1"),
        ("/a/b", "/a", "/a"),
        ("/b%C3%BCro", "/büro/new", "/new"),
    ],
)
def test_a_path_is_cut_where_that_is_what_it_means(root: str, path: str, own: str) -> None:
    assert RootPath(root).cut(path) == own


def test_every_address_on_a_page_begins_with_the_path() -> None:
    bare = [
        f"{file.name}: {address}"
        for file in TEMPLATES.glob("*.html")
        for address in ADDRESSES.findall(file.read_text())
        if not address.startswith(("{{ root }}", "#")) and address not in MADE
    ]
    assert bare == []


async def test_the_paths_of_our_own_are_known(neighbour: Visitor) -> None:
    paths = {"/inbound", *(f"/{part}" for part in REST_PARTS)}
    paths |= {route.path for route in Pages(neighbour.running.runtime).routes}
    for path in paths - {"/"}:
        first, *more = path[1:].split("/")
        assert first in PAGES | PARENTS, path
        assert more or first in PAGES or first == "api", path


async def test_without_a_public_url_no_address_of_this_machine_is_told(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with running(sqlite_url, tmp_path, None, public_url="") as started:
        transport = httpx2.ASGITransport(started.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://texts.lan") as client:
            await started.store(*(make_message(number) for number in range(1, 4)))
            key = {"Authorization": f"Bearer {started.runtime.secrets.api_key}"}
            listed = await client.get("/api/v1/messages?limit=1", headers=key)
            assert listed.headers["link"].startswith("</api/v1/messages?limit=1&cursor=")
            added = await client.post(
                "/api/v1/keys", json={"name": "till", "scopes": ["admin"]}, headers=key
            )
            assert added.headers["location"].startswith("/api/v1/keys/key_")
            for path in ("/", "/sign-in", "/nowhere", "/docs", "/openapi.json"):
                answer = await client.get(path)
                assert "127.0.0.1" not in answer.text + str(answer.headers)


async def test_an_international_name_takes_its_own_forms(sqlite_url: str, tmp_path: Path) -> None:
    public = "https://bücher.example"
    async with running(sqlite_url, tmp_path, None, public_url=public) as started:
        transport = httpx2.ASGITransport(started.app)
        address = "https://xn--bcher-kva.example"
        async with httpx2.AsyncClient(transport=transport, base_url=address) as client:
            visitor = Visitor(started, client)
            answer = await visitor.post(
                "/sign-in/link", {"link": await visitor.make_link()}, headers={"Origin": address}
            )
            assert answer.status_code == 303
            assert (await visitor.read("/")).count("Inbox")
