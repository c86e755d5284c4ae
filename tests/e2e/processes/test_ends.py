"""What ends a process, and that it then ends within twelve seconds, whatever hangs."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from app.simulator.state.faults import Fault
from tests.e2e.processes.test_supervision import has_ended, is_free, list_webs
from tests.e2e.sendings import OURS, providing
from tests.e2e.stores import PostgresStore, SqliteStore
from tests.support.service import START_SECONDS, Service, running, wait_until

END_SECONDS = 12.0
ALL_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def hangup_is_not_ignored() -> Iterator[None]:
    """Tests that run under `nohup` would start services that ignore it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def end(service: Service, *signals: signal.Signals) -> tuple[int, float]:
    """The exit status, and how long the end took."""
    began = time.monotonic()
    for number in signals:
        service.process.send_signal(number)
        time.sleep(0.02)
    status = service.process.wait(3 * END_SECONDS)
    return status, time.monotonic() - began


def wait_for_webs(service: Service, store: PostgresStore, count: int) -> list[psutil.Process]:
    wait_until(
        lambda: len(store.list_processes()) == count,
        seconds=START_SECONDS,
        what=service.log,
    )
    return list_webs(service)


@pytest.mark.parametrize("number", ALL_SIGNALS, ids=lambda each: each.name)
def test_every_signal_to_end_ends_all_of_three_web_processes(
    postgres_store: PostgresStore, tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path / "data", database_url=postgres_store.url, processes=3) as service:
        webs = wait_for_webs(service, postgres_store, 3)
        assert service.forward("1").status == 200
        status, seconds = end(service, number)
        assert (status, seconds < END_SECONDS) == (0, True), service.read_log()
        assert len(webs) == 3
        assert all(map(has_ended, webs))
        assert is_free(service.port)
        assert postgres_store.list_processes() == []
        assert "Traceback" not in service.read_log()


@pytest.mark.parametrize("number", ALL_SIGNALS, ids=lambda each: each.name)
def test_every_signal_to_end_is_an_orderly_end_of_one_process(
    sqlite_store: SqliteStore, tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path / "data") as service:
        assert service.forward("1").status == 200
        # As somebody does who is impatient, or whose terminal closes meanwhile.
        status, seconds = end(service, number, signal.SIGINT, signal.SIGINT, signal.SIGHUP)
        assert (status, seconds < END_SECONDS) == (0, True), service.read_log()
        assert sqlite_store.list_ids() == ["1"]
        assert list(service.folder.glob("spool/*")) == []
        assert "Traceback" not in service.read_log()


@pytest.mark.parametrize("number", ALL_SIGNALS, ids=lambda each: each.name)
def test_every_signal_to_end_is_an_orderly_end_of_a_worker(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running(tmp_path / "data", "work", wait=False) as worker:
        wait_until(lambda: "working" in worker.read_log(), what=worker.log)
        status, seconds = end(worker, number, number)
        assert (status, seconds < END_SECONDS) == (0, True), worker.read_log()
        assert "Traceback" not in worker.read_log()


def test_whoever_is_started_with_nohup_outlives_the_terminal(tmp_path: Path) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with running(tmp_path / "data") as service:
            service.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            assert service.forward("1").status == 200
            assert end(service, signal.SIGTERM)[0] == 0
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_process_that_does_not_end_is_killed(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=postgres_store.url, processes=2) as service:
        webs = wait_for_webs(service, postgres_store, 2)
        webs[0].suspend()
        status, seconds = end(service, signal.SIGTERM)
        assert (status, seconds < END_SECONDS) == (0, True), service.read_log()
        assert all(map(has_ended, webs))
        assert "process_killed" in service.read_log()


@pytest.mark.xdist_group("durable server")
def test_processes_whose_database_hangs_outlive_no_supervisor_that_is_killed(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=durable_store.url, processes=3) as service:
        webs = wait_for_webs(service, durable_store, 3)
        durable_store.server.pause()
        assert service.forward("1").status == 200
        asking = threading.Thread(target=ask_in_vain, args=(service,), daemon=True)
        asking.start()
        time.sleep(0.3)
        began = time.monotonic()
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        wait_until(lambda: all(map(has_ended, webs)), seconds=END_SECONDS, what=service.log)
        print(f"ended in {time.monotonic() - began:.1f} s")
        assert is_free(service.port)
        durable_store.server.resume()
        asking.join(30)


def start_calls(service: Service, provider: Any, web: Service) -> None:
    """Texts whose calls take longer than anybody waits at the end."""
    slow = {"kind": "slow", "action": "Send", "seconds": 60, "taken": True}
    provider.app.simulator.world.faults.add(Fault.model_validate(slow))
    order = {"to": ["447700900101", "447700900102"], "source": OURS, "body": "Hello"}
    assert web.call("/outbound", method="POST", body=order).status == 202
    wait_until(lambda: provider.app.simulator.world.calls.counts["Send"] > 0, what=service.log)


@pytest.mark.xdist_group("durable server")
@pytest.mark.parametrize("command", ["serve", "work"])
def test_all_ends_in_time_while_the_database_hangs_and_calls_are_under_way(
    durable_store: PostgresStore, tmp_path: Path, command: str
) -> None:
    with providing() as provider, contextlib.ExitStack() as stack:
        settings = {"database_url": durable_store.url, **provider.settings}
        web = stack.enter_context(
            running(tmp_path / "web", run_workers=str(command == "serve").lower(), **settings)
        )
        service = web
        if command == "work":
            service = stack.enter_context(
                running(tmp_path / "work", "work", wait=False, **settings)
            )
            wait_until(lambda: "working" in service.read_log(), what=service.log)
        start_calls(service, provider, web)
        durable_store.server.pause()
        time.sleep(0.5)
        asking = threading.Thread(target=ask_in_vain, args=(web,), daemon=True)
        asking.start()
        time.sleep(0.3)
        status, seconds = end(service, signal.SIGTERM)
        print(f"{command} ended in {seconds:.1f} s")
        assert seconds < END_SECONDS, service.read_log()
        assert status == 0, service.read_log()
        durable_store.server.resume()
        asking.join(30)
        left = durable_store.fetch("SELECT DISTINCT status FROM outbound")
        assert {row[0] for row in left} <= {"sending", "uncertain", "queued"}
        assert ("sent",) not in left


def ask_in_vain(web: Service) -> None:
    """A request that waits for the database, too."""
    with contextlib.suppress(OSError):
        web.call("/messages")


@pytest.mark.xdist_group("durable server")
def test_what_was_under_way_when_all_hung_is_uncertain_once_its_lease_is_over(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    with providing() as provider:
        settings = {"database_url": durable_store.url, **provider.settings}
        settings["uncertain_proof_seconds"] = 0
        with running(tmp_path / "data", **settings) as service:
            start_calls(service, provider, service)
            durable_store.server.pause()
            assert end(service, signal.SIGTERM)[1] < END_SECONDS
        durable_store.server.resume()
        calls = provider.app.simulator.world.calls.counts["Send"]
        durable_store.execute(
            "UPDATE outbound SET lease_until = lease_until - interval '100 s'"
            " WHERE status = 'sending'"
        )
        provider.behave()
        with running(tmp_path / "data", **settings) as service:
            wait_until(
                lambda: not durable_store.fetch("SELECT 1 FROM outbound WHERE status = 'sending'"),
                what=service.log,
            )
            done = durable_store.fetch("SELECT status, attempts FROM outbound ORDER BY id")
            # Each call has begun, and none is made again by itself.
            assert done == [("uncertain", 1)] * 2, service.read_log()
            assert provider.app.simulator.world.calls.counts["Send"] == calls
