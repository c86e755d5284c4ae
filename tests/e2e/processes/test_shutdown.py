"""SIGTERM: what was accepted is finished, and the end comes promptly."""

import http.client
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Scale
from tests.e2e.load import sending
from tests.e2e.stores import PostgresStore, SqliteStore, Store, check_kept_once
from tests.support.service import API_KEY, Service, running, wait_until


def list_spools(service: Service) -> list[Path]:
    return list(service.folder.glob("spool/*"))


@pytest.mark.soak
def test_sigterm_under_load_finishes_what_was_accepted(
    store: Store, tmp_path: Path, scale: Scale
) -> None:
    acknowledged: set[str] = set()
    for number in range(scale.pick(1, 20)):
        with running(tmp_path / "data", database_url=store.url) as service:
            with sending(service.port, name=f"load{number}", senders=32) as load:
                load.wait_for(300)
                began = time.monotonic()
                assert service.stop() == 0, service.read_log()
                assert time.monotonic() - began < 10
            known = {each.message_id for each in load.forwards}
            acknowledged.update(each.message_id for each in load.acknowledged)
            assert len(known) == len(load.forwards)
            assert "Traceback" not in service.read_log()
            if "spooling" in service.read_log():
                # The database took over a second, on a busy machine: the next start drains it.
                with running(tmp_path / "data", database_url=store.url):
                    wait_until(lambda: acknowledged <= set(store.list_ids()))
                continue
            assert acknowledged <= set(store.list_ids())
            # An orderly end leaves no spool, not even an empty one.
            assert list_spools(service) == []


def test_sigterm_ends_an_open_stream_of_events_promptly(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    with (
        running(tmp_path / "data") as service,
        closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as stream,
    ):
        headers = {"Authorization": f"Bearer {API_KEY}"}
        stream.request("GET", "/api/v1/events", headers=headers)
        answer = stream.getresponse()
        assert answer.status == 200
        assert service.forward("1").status == 200
        while b"data: " not in (line := answer.readline()):
            assert line
        began = time.monotonic()
        assert service.stop() == 0
        # Sooner than requests under way are cut off.
        assert time.monotonic() - began < 7
        answer.read()  # the stream was ended, not broken
        assert "Traceback" not in service.read_log()


@pytest.mark.xdist_group("durable server")
def test_sigterm_ends_promptly_while_the_database_hangs(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=durable_store.url) as service:
        with sending(service.port) as load:
            load.wait_for(50)
            durable_store.server.pause()
            load.wait_for(50)
            began = time.monotonic()
            assert service.stop() == 0, service.read_log()
            taken = time.monotonic() - began
        assert taken < 10
        assert list_spools(service)
        durable_store.server.resume()
    with running(tmp_path / "data", database_url=durable_store.url) as service:
        wait_until(lambda: service.count_spools() <= 1)
        check_kept_once(durable_store, load.forwards)
