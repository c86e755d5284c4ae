"""The spool's folder goes while the service runs: what is acknowledged from then on is kept."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.inbound.test_outage import wait_until_drained
from tests.e2e.load import sending
from tests.e2e.small_disk import SmallDisk
from tests.e2e.stores import PostgresStore, check_kept_once
from tests.support.service import Service, running, wait_until

pytestmark = pytest.mark.xdist_group("durable server")


def remove_spool(data: Path) -> None:
    shutil.rmtree(data / "spool")


def rename_data(data: Path) -> None:
    data.rename(data.with_name("elsewhere"))


def remove_files(data: Path) -> None:
    for path in data.glob("spool/*.sqlite3"):
        path.unlink()


def remove_journals(data: Path) -> None:
    for path in data.glob("spool/*-wal"):
        path.unlink()


def list_alerts(service: Service, kind: str) -> list[dict[str, str]]:
    return [each for each in service.get("/alerts")["items"] if each["kind"] == kind]


@pytest.mark.parametrize("harm", [remove_spool, rename_data, remove_files, remove_journals])
@pytest.mark.parametrize("first", ["outage", "harm"])
def test_a_folder_that_goes_costs_no_message(
    durable_store: PostgresStore, tmp_path: Path, harm: Callable[[Path], None], first: str
) -> None:
    data = tmp_path / "data"
    with running(data, database_url=durable_store.url) as service:
        with sending(service.port, senders=4, pause_seconds=0.005) as load:
            load.wait_for(20)
            if first == "harm":
                harm(data)
            durable_store.server.stop()
            load.wait_for(100)
            if first == "outage":
                harm(data)
            load.wait_for(200)
            durable_store.server.start()
            wait_until_drained(service)
            load.wait_for(20)
        assert load.count() == len(load.forwards)
        wait_until_drained(service)
        check_kept_once(durable_store, load.forwards)
        if first == "outage":
            wait_until(lambda: bool(list_alerts(service, "spool-moved")), what=service.log)


def test_a_disk_that_is_mounted_over_the_spool_costs_no_message(
    durable_store: PostgresStore, open_disk: SmallDisk, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with running(data, database_url=durable_store.url) as service:
        durable_store.server.stop()
        with sending(service.port, senders=4, pause_seconds=0.005) as load:
            load.wait_for(50)
            subprocess.run(["mount", "--bind", open_disk.path, data / "spool"], check=True)
            try:
                load.wait_for(100)
            finally:
                subprocess.run(["umount", "--lazy", data / "spool"], check=True)
            load.wait_for(100)
        assert load.count() == len(load.forwards)
        durable_store.server.start()
        wait_until_drained(service)
        check_kept_once(durable_store, load.forwards)


def test_a_full_disk_is_told_before_the_spool_is_needed_and_after_it_has_room_again(
    durable_store: PostgresStore, small_disk: SmallDisk
) -> None:
    data = small_disk.path / "data"
    with running(data, database_url=durable_store.url) as service:
        durable_store.server.stop()
        assert service.forward("1").status == 200
        small_disk.fill()
        wait_until(lambda: service.forward("2").status == 503, what=service.log)
        wait_until(lambda: service.ask("/readyz").status == 503, what=service.log)
        small_disk.empty()
        # Nobody forwards anything, and yet it finds out.
        wait_until(lambda: service.ask("/readyz").status == 200, what=service.log)
        assert service.forward("3").status == 200
        durable_store.server.start()
        wait_until_drained(service)
