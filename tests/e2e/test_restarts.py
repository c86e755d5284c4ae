"""A restart under load costs nobody anything: each request is answered 200, and stored once."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from app.ending import RESTART_SIGNAL
from tests.e2e.load import Load, sending
from tests.e2e.stores import PostgresStore, SqliteStore, Store, check_kept_once
from tests.support.service import Service, running, wait_until

RESTARTS, POSTS = 3, 6_000
# A start takes long on a machine with other work.
PATIENCE_SECONDS = 30.0


@contextmanager
def posting(port: int) -> Iterator[list[Load]]:
    """Half of the senders keep their connections, as proxies do; the others take a new one each."""
    posts: dict[str, Any] = {"senders": 8, "posts": True, "patience_seconds": PATIENCE_SECONDS}
    with (
        sending(port, name="kept", **posts) as kept,
        sending(port, name="new", keeps=False, **posts) as new,
    ):
        yield [kept, new]


def post_over_restarts(port: int, store: Store, restart: Callable[[], None]) -> None:
    with posting(port) as loads:
        for number in range(1, RESTARTS + 1):
            restart()
            for load in loads:
                load.wait_for(max(POSTS * number // RESTARTS // 2 - load.count(), 200))
    forwards = [each for load in loads for each in load.forwards]
    print(f"{len(forwards)} posts, the slowest took {max(each.seconds for each in forwards):.1f} s")
    assert len(forwards) >= POSTS
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


def test_a_signal_restarts_one_process_under_load(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data") as service:
        post_over_restarts(service.port, sqlite_store, lambda: restart_in_place(service))
        assert service.stop() == 0
        assert "Traceback" not in service.read_log()


def test_a_signal_restarts_several_processes_under_load(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=postgres_store.url, processes=2) as service:
        post_over_restarts(service.port, postgres_store, lambda: restart_in_place(service))
        assert service.stop() == 0
        assert "Traceback" not in service.read_log()


def test_a_service_whose_socket_is_held_restarts_under_load(
    sqlite_store: SqliteStore, tmp_path: Path
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
        post_over_restarts(service.port, sqlite_store, restart)
        assert "Traceback" not in service.read_log()
