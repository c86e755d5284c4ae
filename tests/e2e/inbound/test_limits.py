"""What callers cannot do: bounds on heads, bodies and time, and who is believed."""

import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.support.service import API_KEY, AUTH, Service, make_forward, running, wait_until

# They share a service.
pytestmark = pytest.mark.xdist_group("limits")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("limits") / "data"
    networks = "127.0.0.1,192.0.2.0/24"
    with running(folder, forwarders=networks, trusted_proxies="127.0.0.1") as running_service:
        yield running_service


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=15)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionError:
        pass
    return received


def test_nothing_after_the_head_is_a_header(service: Service) -> None:
    """A caller behind the trusted proxy gives another address in a trailer, or a right key."""
    chunks = "4\r\nid=1\r\n0\r\n"
    for path, header, trailer in (
        (f"/inbound?auth={AUTH}", "198.51.100.1", "X-Forwarded-For: 192.0.2.7"),
        (f"/inbound?auth={AUTH}", "198.51.100.1", "Forwarded: for=192.0.2.7"),
        ("/api/v1/sender", "192.0.2.7", f"Authorization: Bearer {API_KEY}"),
    ):
        with connect(service) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                f"X-Forwarded-For: {header}\r\nTransfer-Encoding: chunked\r\n"
                f"Content-Type: application/json\r\n\r\n{chunks}{trailer}\r\n\r\n".encode()
            )
            status = read_all(connection).split(b" ")[1]
        assert status == (b"403" if path.startswith("/inbound") else b"401")


@pytest.mark.parametrize("start", [b"GET /inbound?msg=", b"GET / HTTP/1.1\r\nX: "])
def test_a_head_without_end_is_cut_off(service: Service, start: bytes) -> None:
    with connect(service) as connection:
        connection.sendall(start)
        try:
            for _ in range(100):
                connection.sendall(b"x" * 8192)
                time.sleep(0.001)
        except ConnectionError:
            pass
        assert b" 200 " not in read_all(connection)
    assert service.forward("after").status == 200


def test_a_head_or_a_body_that_does_not_come_is_not_waited_for(service: Service) -> None:
    with connect(service) as head_only, connect(service) as body_only:
        head_only.sendall(b"GET /inbound?msg=x HTT")
        head = f"POST /inbound?auth={AUTH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nmsg="
        body_only.sendall(head.encode())
        began = time.monotonic()
        assert read_all(body_only).startswith(b"HTTP/1.1 408")
        assert 8 < time.monotonic() - began < 25
        assert b" 200 " not in read_all(head_only)
        assert time.monotonic() - began < 35


def test_over_64_kib_is_413_and_alerted(service: Service) -> None:
    long = "x" * (64 * 1024 + 1)
    assert service.forward("long", msg=long).status == 413
    answer = service.ask(f"/inbound?auth={AUTH}", method="POST", body=long.encode())
    assert answer.status == 413
    wait_until(lambda: bool(service.get("/alerts?open=true")["items"]))
    [alert] = service.get("/alerts?open=true")["items"]
    assert alert["kind"] == "too-large"


def test_requests_in_one_go_are_each_answered(service: Service) -> None:
    with connect(service) as connection:
        requests = [
            f"GET /inbound?{make_forward(f'pipe{number}')} HTTP/1.1\r\nHost: x\r\n"
            for number in range(3)
        ]
        connection.sendall(("\r\n".join(requests) + "Connection: close\r\n\r\n").encode())
        assert read_all(connection).count(b"HTTP/1.1 200") == 3


def test_who_hangs_up_in_a_body_leaves_nothing(service: Service) -> None:
    before = len(service.get("/messages?limit=500")["items"])
    with connect(service) as connection:
        head = (
            f"POST /inbound?auth={AUTH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nmsg=half"
        )
        connection.sendall(head.encode())
    time.sleep(0.3)
    assert len(service.get("/messages?limit=500")["items"]) == before
    assert "Traceback" not in service.read_log()


def test_a_forwarded_address_is_believed_from_a_trusted_proxy_alone(service: Service) -> None:
    def ask(address: str) -> int:
        return service.ask(
            f"/inbound?{make_forward('proxied')}", headers={"X-Forwarded-For": address}
        ).status

    assert ask("192.0.2.7") == 200
    assert ask("198.51.100.1") == 403
    assert ask("192.0.2.7, 198.51.100.1") == 403
    assert ask("198.51.100.1, 192.0.2.7") == 200
    assert ask("192.0.2.7:51234") == 200
    assert ask("::ffff:192.0.2.7") == 200
    assert ask("[2001:db8::1]:443") == 403
    # What is no address is nobody's: the proxy's own counts.
    assert ask("nonsense") == 200


def test_nobody_is_believed_unasked_and_who_was_not_is_told(tmp_path: Path) -> None:
    with running(tmp_path / "data", forwarders="192.0.2.0/24") as service:
        path = f"/inbound?{make_forward('proxied')}"
        for header in ({"X-Forwarded-For": "192.0.2.7"}, {"Forwarded": "for=192.0.2.7"}):
            answer = service.ask(path, headers=header)
            assert answer.status == 403
            assert b"LETTERBOX_TRUSTED_PROXIES" in answer.body
        answer = service.ask(path)
        assert answer.status == 403
        assert b"LETTERBOX_FORWARDERS" in answer.body
        assert b"PROXIES" not in answer.body
        wait_until(lambda: len(service.get("/refusals")["items"]) >= 2)
        refused = service.get("/refusals")["items"]
        assert {(each["address"], each["reason"]) for each in refused} == {
            ("127.0.0.1", "untrusted-proxy"),
            ("127.0.0.1", "forwarder"),
        }

        def find_advice() -> list[str]:
            alerts = service.get("/alerts?open=true")["items"]
            return [each["action"] for each in alerts if each["kind"] == "untrusted-proxy"]

        wait_until(lambda: bool(find_advice()))
        assert "add it to LETTERBOX_TRUSTED_PROXIES" in find_advice()[0]


def test_a_service_may_have_as_many_connections_as_the_machine_lets_it(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What the service inherits, as shells have it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        with running(tmp_path / "data") as started:
            allowed = psutil.Process(started.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert allowed == (min(hard, 65_536), hard)
