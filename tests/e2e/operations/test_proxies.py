"""Behind nginx and HAProxy, with exactly the configurations that docs/guides/proxies.md shows."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.processes.test_restarts import PATIENCE_SECONDS, restart_in_place
from tests.e2e.stores import SqliteStore
from tests.support.endpoints.proxies import Proxy, proxying
from tests.support.service import (
    API_KEY,
    Answer,
    Service,
    find_free_port,
    make_forward,
    running,
    wait_until,
)

# They share a service.
pytestmark = pytest.mark.xdist_group("proxies")
# Addresses of this machine, as everything in 127.0.0.0/8 is.
PROVIDER, OFFICE = "127.0.0.2", "127.0.0.3"
HOST = "texts.example.com"
PASSWORD = "a-password-of-the-tests"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Caller:
    """Asks a proxy from one of this machine's addresses."""

    def __init__(self, proxy: Proxy, address: str) -> None:
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._port = proxy.port
        self._address = address
        self.patience_seconds = PATIENCE_SECONDS

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1",
            self._port,
            timeout=self.patience_seconds,
            source_address=(self._address, 0),
            context=self._context,
        )

    @contextmanager
    def begin(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer of which the body is still to be read."""
        with contextlib.closing(self.connect()) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Host": HOST, **FORM, **named})
            with connection.getresponse() as answer:
                yield answer

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        with self.begin(method, path, body, **headers) as answer:
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read(), 0)

    def forward(self, message_id: str, **headers: str) -> int:
        return self.ask("POST", "/inbound", make_forward(message_id), **headers).status


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings: dict[str, Any] = {
        "forwarders": PROVIDER,
        "trusted_proxies": "127.0.0.1",
        "public_url": f"https://{HOST}",
        "admin_password": PASSWORD,
    }
    with running(tmp_path_factory.mktemp("behind") / "data", **settings) as started:
        yield started


@pytest.fixture(scope="module", params=["nginx", "HAProxy"])
def proxy(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy") / "etc"
    with proxying(request.param, folder, service.port) as started:
        yield started


def list_ids(service: Service, prefix: str) -> list[str]:
    path = service.folder / "letterbox.sqlite3"
    return sorted(each for each in SqliteStore(path).list_ids() if each.startswith(prefix))


def test_the_provider_is_known_through_a_proxy_and_strangers_are_named(
    service: Service, proxy: Proxy
) -> None:
    provider = Caller(proxy, PROVIDER)
    assert provider.forward(f"{proxy.name}-post") == 200
    assert provider.ask("GET", f"/inbound?{make_forward(f'{proxy.name}-query')}").status == 200
    stranger, spoofer = f"127.0.{len(proxy.name)}.3", f"127.0.{len(proxy.name)}.4"
    assert Caller(proxy, stranger).forward(f"{proxy.name}-stranger") == 403
    spoofed = {"X_Forwarded_For": PROVIDER, "Forwarded": f"for={PROVIDER}"}
    assert Caller(proxy, spoofer).forward(f"{proxy.name}-spoofed", **spoofed) == 403
    assert list_ids(service, proxy.name) == [f"{proxy.name}-post", f"{proxy.name}-query"]

    def list_refused() -> set[str]:
        return {each["address"] for each in service.get("/refusals")["items"]}

    wait_until(lambda: {stranger, spoofer} <= list_refused())
    assert PROVIDER not in list_refused()
    assert "127.0.0.1" not in list_refused()


def test_a_forward_of_sixty_kilobytes_comes_through(service: Service, proxy: Proxy) -> None:
    body = make_forward(f"large-{proxy.name}", msg="x" * 60_000)
    assert Caller(proxy, PROVIDER).ask("POST", "/inbound", body).status == 200
    [found] = [
        each
        for each in service.get("/messages?limit=5")["items"]
        if each["provider_id"] == f"large-{proxy.name}"
    ]
    assert found["body"] == "x" * 60_000


def sign_in(caller: Caller) -> str:
    """The cookie."""
    body = urlencode({"name": "Grace", "password": PASSWORD})
    answer = caller.ask("POST", "/sign-in", body, Origin=f"https://{HOST}")
    assert answer.status == 303, answer
    return answer.headers["set-cookie"].split(";")[0]


def test_a_live_page_hears_of_a_text_at_once(service: Service, proxy: Proxy) -> None:
    office = Caller(proxy, OFFICE)
    cookie = sign_in(office)
    # Later than that the page gives up and polls.
    office.patience_seconds = 5.0
    with office.begin("GET", "/live", Cookie=cookie) as stream:
        assert stream.status == 200
        while b"ready" not in (line := stream.readline()):
            assert line
        assert Caller(proxy, PROVIDER).forward(f"live-{proxy.name}") == 200
        while not line.startswith(b"event: ") or b"ready" in line:
            line = stream.readline()
            assert line


def test_a_restart_costs_nobody_behind_a_proxy_anything(service: Service, proxy: Proxy) -> None:
    caller = Caller(proxy, PROVIDER)
    restarted = threading.Event()
    statuses: list[int] = []

    def send(number: int) -> list[str]:
        sent: list[str] = []
        with contextlib.closing(caller.connect()) as connection:
            while not restarted.is_set() or len(sent) < 20:
                sent.append(f"restart-{proxy.name}-{number:02}-{len(sent):05}")
                connection.request("POST", "/inbound", make_forward(sent[-1]), FORM)
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
        return sent

    with ThreadPoolExecutor(4) as senders:
        sending = [senders.submit(send, number) for number in range(4)]
        try:
            wait_until(lambda: len(statuses) > 100)
            restart_in_place(service)
            before = len(statuses)
            wait_until(lambda: len(statuses) > before + 100)
        finally:
            restarted.set()
        sent = sorted(each for future in sending for each in future.result(60))
    assert set(statuses) == {200}
    assert list_ids(service, f"restart-{proxy.name}") == sent


class Broken:
    """An instance that takes requests and closes the connection instead of answering."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", find_free_port()))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(5)
                    self.requests.append(connection.recv(65536).split(b" HTTP/")[0])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.mark.parametrize("name", ["nginx", "HAProxy"])
def test_a_forward_goes_to_another_instance_and_nothing_else_is_repeated(
    service: Service, tmp_path: Path, name: str
) -> None:
    as_json = {"Content_Type": "application/json", "Authorization": f"Bearer {API_KEY}"}
    wanted = '{"name": "made behind a proxy", "scopes": ["messages:read"]}'
    with (
        contextlib.closing(Broken()) as broken,
        proxying(
            f"{name}, several instances", tmp_path / "etc", broken.port, service.port
        ) as proxy,
    ):
        caller = Caller(proxy, PROVIDER)
        paths = ("/inbound", "/inbound/", "//INBOUND")
        for number in range(12):
            path, body = paths[number % 3], make_forward(f"several-{name}-{number:02}")
            assert caller.ask("POST", path, body).status == 200, (number, broken.requests)
        assert len(list_ids(service, f"several-{name}")) == 12
        tried = len(broken.requests)
        assert 3 <= tried <= 12
        before = len(service.get("/keys")["items"])
        statuses = [caller.ask("POST", "/api/v1/keys", wanted, **as_json).status for _ in range(8)]
        assert len(broken.requests) - tried == statuses.count(502) == 4
        assert len(service.get("/keys")["items"]) - before == statuses.count(201) == 4
