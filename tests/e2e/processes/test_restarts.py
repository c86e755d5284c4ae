"""A restart under load costs nobody anything: each request is answered 200, and stored once."""

import contextlib
import http.client
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from app.ending import MOST_SECONDS, RESTART_SIGNAL
from app.settings import Settings
from tests.e2e.conftest import Scale
from tests.e2e.load import Load, sending
from tests.e2e.processes.test_supervision import is_free, list_webs
from tests.e2e.stores import PostgresStore, SqliteStore, Store, check_kept_once
from tests.support.service import Service, make_forward, running, wait_until

ROOT = Path(__file__).parents[3]
# A start takes long on a machine with other work.
PATIENCE_SECONDS = 30.0


@contextmanager
def posting(port: int, scale: Scale) -> Iterator[list[Load]]:
    """Half of the senders keep their connections, as proxies do; the others take a new one each."""
    posts: dict[str, Any] = {
        "senders": 8,
        "posts": True,
        "patience_seconds": PATIENCE_SECONDS,
        "pause_seconds": scale.pick(1, 0) * 0.02,
    }
    with (
        sending(port, name="kept", **posts) as kept,
        sending(port, name="new", keeps=False, **posts) as new,
    ):
        yield [kept, new]


def post_over_restarts(port: int, store: Store, restart: Callable[[], None], scale: Scale) -> None:
    restarts, posts = scale.pick(2, 3), scale.pick(400, 6_000)
    with posting(port, scale) as loads:
        for number in range(1, restarts + 1):
            restart()
            for load in loads:
                load.wait_for(max(posts * number // restarts // 2 - load.count(), 100))
    forwards = [each for load in loads for each in load.forwards]
    print(f"{len(forwards)} posts, the slowest took {max(each.seconds for each in forwards):.1f} s")
    assert len(forwards) >= posts
    assert [each for each in forwards if each.status != 200] == []
    assert [load.refused for load in loads] == [0, 0]
    check_kept_once(store, forwards)


def restart_in_place(service: Service) -> None:
    welcomes = service.read_log().count("Letterbox is running at ")
    service.process.send_signal(RESTART_SIGNAL)
    wait_until(
        lambda: service.read_log().count("Letterbox is running at ") > welcomes, what=service.log
    )
    assert service.process.poll() is None


@pytest.mark.soak
def test_a_signal_restarts_one_process_under_load(
    sqlite_store: SqliteStore, tmp_path: Path, scale: Scale
) -> None:
    with running(tmp_path / "data") as service:
        post_over_restarts(service.port, sqlite_store, lambda: restart_in_place(service), scale)
        assert service.stop() == 0
        assert "Traceback" not in service.read_log()


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_signal_restarts_several_processes_under_load(
    postgres_store: PostgresStore, tmp_path: Path, scale: Scale
) -> None:
    with running(tmp_path / "data", database_url=postgres_store.url, processes=2) as service:
        wait_until(lambda: len(list_webs(service)) == 2)
        before = len(service.list_processes())
        post_over_restarts(service.port, postgres_store, lambda: restart_in_place(service), scale)
        assert len(service.list_processes()) == before
        assert service.stop() == 0
        assert "Traceback" not in service.read_log()


@pytest.mark.soak
def test_a_service_whose_socket_is_held_restarts_under_load(
    sqlite_store: SqliteStore, tmp_path: Path, scale: Scale
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held, ExitStack() as last:
        service: Service

        def start() -> Service:
            return last.enter_context(running(tmp_path / "data", listeners=[held]))

        def restart() -> None:
            nonlocal service
            assert service.stop() == 0, service.read_log()
            service = start()

        service = start()
        post_over_restarts(service.port, sqlite_store, restart, scale)
        assert "Traceback" not in service.read_log()


def test_a_request_on_a_connection_that_looks_idle_is_answered_at_the_end(tmp_path: Path) -> None:
    with (
        running(tmp_path / "data") as service,
        closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)) as proxy,
    ):
        proxy.connect()
        # Whatever happens, it all comes over one connection.
        proxy.auto_open = 0
        service.process.send_signal(signal.SIGTERM)
        closing_soon = False
        while not closing_soon:
            proxy.request("POST", "/inbound", make_forward("1"))
            answer = proxy.getresponse()
            assert (answer.status, answer.read()) == (200, b"OK")
            closing_soon = answer.getheader("Connection") == "close"
            time.sleep(0.1)
        assert service.process.wait(12) == 0


def test_a_connection_that_stays_idle_delays_the_end_by_little(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        idle = socket.create_connection(("127.0.0.1", service.port))
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 5
        with idle:
            assert idle.recv(1) == b""


def test_a_stop_wins_over_a_restart(tmp_path: Path) -> None:
    for signals in ([RESTART_SIGNAL, signal.SIGTERM], [signal.SIGTERM, RESTART_SIGNAL]):
        with running(tmp_path / "data") as service:
            # It keeps the end from being over before the second signal.
            with socket.create_connection(("127.0.0.1", service.port)):
                for number in signals:
                    service.process.send_signal(number)
                    time.sleep(0.1)
                assert service.process.wait(12) == 0, service.read_log()
            assert is_free(service.port)


def test_a_restart_that_is_asked_for_again_and_again_is_one(tmp_path: Path) -> None:
    with running(tmp_path / "data") as service:
        identity = service.process.pid
        for _ in range(20):
            service.process.send_signal(RESTART_SIGNAL)
            time.sleep(0.05)
        wait_until(lambda: service.read_log().count("Letterbox is running at ") >= 2)
        service.wait_until_ready()
        assert service.forward("1").status == 200
        assert service.process.pid == identity
        assert service.stop() == 0


def test_a_restart_that_is_asked_for_during_the_first_start_does_not_end_it(tmp_path: Path) -> None:
    # The start waits for whoever writes its settings.
    os.mkfifo(tmp_path / ".env")
    with running(tmp_path / "data", wait=False, launcher=()) as service:
        with (tmp_path / ".env").open("w", encoding="utf-8") as settings:
            # The start waits for the end of this one; the restart must not wait for another.
            (tmp_path / ".env").unlink()
            service.process.send_signal(RESTART_SIGNAL)
            settings.write("LETTERBOX_LOG_LEVEL=info\n")
        service.wait_until_ready()
        assert service.forward("1").status == 200


def test_a_restart_reads_the_settings_again(tmp_path: Path) -> None:
    with running(tmp_path / "data", inbound_auth=None) as service:
        assert service.forward("1", auth="another-value").status == 403
        (tmp_path / ".env").write_text("LETTERBOX_INBOUND_AUTH=another-value\n")
        restart_in_place(service)
        assert service.forward("1", auth="another-value").status == 200
        # Its own output and files are not handed on from restart to restart.
        opened = list_handed_on(service)
        restart_in_place(service)
        assert list_handed_on(service) == opened
        assert psutil.Process(service.process.pid).children() == []


def list_handed_on(service: Service) -> list[str]:
    """What this process has open besides its connections and its databases, which come and go."""
    found = []
    for each in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(each.readlink()).partition(":")[0])
    sockets = psutil.Process(service.process.pid).net_connections()
    listening = [each.status for each in sockets if each.status == psutil.CONN_LISTEN]
    return listening + sorted(name for name in found if name != "socket" and "sqlite3" not in name)


@pytest.mark.xdist_group("durable server")
def test_a_restart_comes_about_while_the_database_hangs(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=durable_store.url) as service:
        assert service.forward("1").status == 200
        durable_store.server.pause()
        assert service.forward("2").status == 200
        began = time.monotonic()
        restart_in_place(service)
        assert service.forward("3").status == 200
        print(f"restarted in {time.monotonic() - began:.1f} s")
        durable_store.server.resume()
        wait_until(lambda: set(durable_store.list_ids()) == {"1", "2", "3"}, what=service.log)


def test_several_sockets_are_taken_and_a_unix_socket_is_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sock"
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.socket(socket.AF_UNIX) as second,
    ):
        second.bind(str(path))
        second.listen()
        forwarders: dict[str, Any] = {"forwarders": "192.0.2.7", "trusted_proxies": "127.0.0.1"}
        with running(tmp_path / "data", listeners=[first, second], **forwarders) as service:
            assert f"running at {service.url}\n" in service.read_log()
            assert service.forward("1").status == 403
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(str(path))
                head = "Host: x\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\n"
                request = f"GET /inbound?{make_forward('2')} HTTP/1.1\r\n{head}\r\n"
                caller.sendall(request.encode())
                assert caller.recv(100).startswith(b"HTTP/1.1 200 ")
            wait_until(lambda: bool(service.get("/refusals")["items"]))
            [refused] = service.get("/refusals")["items"]
            assert refused["address"] == "127.0.0.1"


def test_a_unix_socket_is_listened_on_and_outlives_a_crash_and_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sock"

    def is_answered() -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(PATIENCE_SECONDS)
            caller.connect(str(path))
            request = f"GET /inbound?{make_forward('1')} HTTP/1.1\r\nHost: x\r\n\r\n"
            caller.sendall(request.encode())
            return caller.recv(100).startswith(b"HTTP/1.1 200 ")
        return False

    settings: dict[str, Any] = {"host": f"unix:{path}", "wait": False}
    with running(tmp_path / "data", **settings) as crashed:
        wait_until(is_answered, what=crashed.log)
        with running(tmp_path / "other", **settings) as second:
            assert second.process.wait(30) == 1
            [line] = second.read_log().splitlines()
            assert line.startswith("letterbox: LETTERBOX_HOST, ")
            assert line.endswith("(Address already in use); choose another path")
        crashed.kill()
    with running(tmp_path / "data", **settings) as service:
        wait_until(is_answered, what=service.log)
        restart_in_place(service)
        assert is_answered()
        assert "running at http://localhost\n" in service.read_log()


def test_a_socket_that_does_not_listen_is_refused_with_one_line(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, running(tmp_path / "data", listeners=[ours], wait=False) as service:
        assert service.process.wait(30) == 1
        [line] = service.read_log().splitlines()
        assert line.startswith("letterbox: LISTEN_FDS: descriptor 3 is not a listening ")


def test_the_units_for_systemd_say_what_the_service_does() -> None:
    units = {}
    for kind in ("socket", "service"):
        units[kind] = ConfigParser(interpolation=None, strict=False)
        units[kind].optionxform = str  # type: ignore[assignment,method-assign]
        assert units[kind].read(ROOT / f"docs/deploy/systemd/letterbox.{kind}")
    settings, service = Settings.model_fields, units["service"]["Service"]
    default = f"{settings['host'].default}:{settings['port'].default}"
    assert units["socket"]["Socket"]["ListenStream"] == default
    assert service["ExecStart"].endswith("/letterbox serve")
    assert service["ExecReload"] == f"/bin/kill -{RESTART_SIGNAL.name[3:]} $MAINPID"
    assert int(service["TimeoutStopSec"]) > MOST_SECONDS
