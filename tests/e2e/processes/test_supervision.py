"""PROCESSES=2: one address, figures and an end in common, whatever happens to one of them."""

import os
import signal
import socket
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.e2e.load import sending
from tests.e2e.small_disk import SmallDisk
from tests.e2e.stores import PostgresStore, check_kept_once
from tests.support.service import Service, run_command, running, wait_until


def list_webs(service: Service) -> list[psutil.Process]:
    """The web processes, without the supervisor and what Python starts beside them."""
    return [
        each
        for each in service.list_processes()[1:]
        if not has_ended(each) and "resource_tracker" not in " ".join(each.cmdline())
    ]


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def is_free(port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_figures_are_summed_and_all_end_at_sigterm(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=postgres_store.url, processes=2) as service:
        with sending(service.port, senders=32) as load:
            load.wait_for(400)
        webs = list_webs(service)
        assert len(webs) == 2
        # Whichever process answers, it tells what all have done.
        for _ in range(6):
            figures = service.read_metrics()
            names = [name for name in figures if "messages_acknowledged_total" in name]
            assert sum(figures[name] for name in names) == load.count(), service.read_log()
        # On a busy machine some texts may have had to wait in a spool.
        wait_until(lambda: postgres_store.count() == load.count(), what=service.log)
        assert service.stop() == 0, service.read_log()
        assert all(map(has_ended, webs))
        assert list(service.folder.glob("spool/*")) == []
        assert "Traceback" not in service.read_log()
        check_kept_once(postgres_store, load.forwards)


@pytest.mark.xdist_group("durable server")
def test_a_process_that_dies_is_replaced_and_its_spool_stored(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=durable_store.url, processes=2) as service:
        # Both are up once both have noted themselves.
        wait_until(lambda: len(durable_store.list_processes()) == 2)
        with sending(service.port, senders=32) as load:
            load.wait_for(100)
            durable_store.server.stop("immediate")
            load.wait_for(200)
            wait_until(lambda: service.read_metrics()["letterbox_spool_depth"] > 0)
            victim = list_webs(service)[0]
            victim.kill()
            wait_until(lambda: victim not in list_webs(service) and len(list_webs(service)) == 2)
            load.wait_for(100)
            durable_store.server.start()
            load.wait_for(100)
        wait_until(lambda: service.count_spools() <= 2)
        # What the dead one had counted is not counted for ever.
        wait_until(lambda: service.read_metrics()["letterbox_spool_depth"] == 0)
        check_kept_once(durable_store, load.forwards)


def test_no_process_outlives_a_supervisor_that_is_killed(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data", database_url=postgres_store.url, processes=2) as service:
        webs = list_webs(service)
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        wait_until(lambda: all(map(has_ended, webs)))
        wait_until(lambda: is_free(service.port))


def test_processes_that_cannot_start_end_all_of_them(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    postgres_store.execute("UPDATE alembic_version SET version_num = '9999'")
    settings: dict[str, Any] = {"port": 0, "processes": 2, "database_url": postgres_store.url}
    ended = run_command(tmp_path / "data", "serve", **settings)
    assert ended.returncode == 1
    assert "start the newer release of Letterbox" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_full_disk_stops_no_process_while_the_database_is_well(
    postgres_store: PostgresStore, small_disk: SmallDisk
) -> None:
    data = small_disk.path
    with running(data, database_url=postgres_store.url, processes=2) as service:
        wait_until(lambda: len(postgres_store.list_processes()) == 2)
        first = set(postgres_store.list_processes())
        small_disk.fill()
        with sending(service.port, senders=16) as load:
            load.wait_for(300)
        assert load.count() == len(load.forwards)
        assert service.forward("wrong", auth="wrong").status == 403
        assert service.ask("/metrics").status == 200
        # One that starts now lives, too.
        list_webs(service)[0].kill()
        wait_until(
            lambda: bool(set(postgres_store.list_processes()) - first),
            what=service.log,
        )
        with sending(service.port, senders=16, name="more") as load:
            load.wait_for(300)
        assert service.read_log().count("process_died") == 1, service.read_log()
        small_disk.empty()
