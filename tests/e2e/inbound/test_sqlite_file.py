"""Somebody removes, replaces or overwrites the SQLite file while the service runs."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.load import Load, sending
from tests.e2e.stores import SqliteStore
from tests.support.service import Service, running, wait_until

NAME = "letterbox.sqlite3"


def back_up(data: Path, copy: Path) -> None:
    """A sound copy of the file as it is now."""
    with (
        closing(sqlite3.connect(data / NAME, timeout=10)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    with closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA journal_mode = DELETE")


def is_stored_directly(service: Service) -> bool:
    parts = service.ask("/readyz").json
    return all(parts[name]["status"] == "ok" for name in ("database", "spool"))


def list_lost(store: SqliteStore, load: Load, *, after: float) -> list[str]:
    """What was sent after that moment, acknowledged, and cannot be found."""
    stored = set(store.list_ids())
    return [
        each.message_id
        for each in load.forwards
        if each.began > after and each.status == 200 and each.message_id not in stored
    ]


def wait_until_told(service: Service, text: str) -> None:
    def is_told() -> bool:
        ready = service.ask("/readyz")
        assert ready.status == 200
        return text in ready.json["database"]["detail"]

    wait_until(is_told, what=service.log)


def remove(data: Path, _copy: Path) -> None:
    (data / NAME).unlink()


def remove_all(data: Path, _copy: Path) -> None:
    for path in data.glob(f"{NAME}*"):
        path.unlink()


def rename_data(data: Path, _copy: Path) -> None:
    data.rename(data.with_name("elsewhere"))


def truncate(data: Path, _copy: Path) -> None:
    with (data / NAME).open("r+b") as file:
        file.truncate(0)


def move_copy_there(data: Path, copy: Path) -> None:
    copy.replace(data / NAME)


def move_copy_there_without_journal(data: Path, copy: Path) -> None:
    copy.replace(data / NAME)
    for ending in ("-wal", "-shm"):
        (data / f"{NAME}{ending}").unlink()


def copy_over_it(data: Path, copy: Path) -> None:
    shutil.copyfile(copy, data / NAME)


def remove_wal(data: Path, _copy: Path) -> None:
    (data / f"{NAME}-wal").unlink()


def remove_shm(data: Path, _copy: Path) -> None:
    (data / f"{NAME}-shm").unlink()


def remove_journal(data: Path, _copy: Path) -> None:
    remove_wal(data, _copy)
    remove_shm(data, _copy)


def checkpoint_from_outside(data: Path, _copy: Path) -> None:
    with closing(sqlite3.connect(data / NAME, timeout=10, isolation_level=None)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def write_from_outside(data: Path, _copy: Path) -> None:
    with closing(sqlite3.connect(data / NAME, timeout=10, isolation_level=None)) as other:
        other.execute("CREATE TABLE IF NOT EXISTS somebody_elses (a)")
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")


@pytest.mark.parametrize(
    "harm",
    [
        move_copy_there,
        move_copy_there_without_journal,
        copy_over_it,
        remove_wal,
        remove_shm,
        remove_journal,
        checkpoint_from_outside,
        write_from_outside,
    ],
)
@pytest.mark.parametrize("texts", [20, 600])
def test_it_goes_on_with_what_stands_there_and_loses_nothing_from_then_on(
    sqlite_store: SqliteStore,
    tmp_path: Path,
    harm: Callable[[Path, Path], None],
    texts: int,
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy.sqlite3"
    with running(data) as service:
        with sending(service.port, senders=4) as load:
            load.wait_for(texts)
            back_up(data, copy)
            load.wait_for(texts)
            harm(data, copy)
            after = time.monotonic()
            load.wait_for(texts * 2)
            # Until the next look at the file, some batches are enough.
            load.pause_seconds = 0.02
            time.sleep(1.5)
            wait_until(lambda: is_stored_directly(service), what=service.log)
            load.wait_for(20)
        assert load.count() == len(load.forwards)
        wait_until(lambda: is_stored_directly(service), what=service.log)
        assert service.stop() == 0
    assert list_lost(sqlite_store, load, after=after) == []
    assert sqlite_store.fetch("PRAGMA integrity_check") == [("ok",)]
    with running(data) as service:
        assert service.forward("one more").status == 200
        assert service.get("/messages?limit=1")["items"][0]["provider_id"] == "one more"


@pytest.mark.parametrize("harm", [remove, remove_all, rename_data, truncate])
@pytest.mark.parametrize("back", [True, False])
def test_without_a_file_it_spools_and_says_so_until_there_is_one(
    sqlite_store: SqliteStore,
    tmp_path: Path,
    harm: Callable[[Path, Path], None],
    back: bool,
) -> None:
    """One is put back, or it is started again and begins an empty one."""
    data, copy = tmp_path / "data", tmp_path / "copy.sqlite3"
    with running(data) as service:
        with sending(service.port, senders=4, pause_seconds=0.002) as load:
            load.wait_for(100)
            back_up(data, copy)
            harm(data, copy)
            after = time.monotonic()
            load.wait_for(200)
            wait_until_told(service, "while Letterbox was running" if harm != truncate else "empty")
            if back:
                copy.replace(data / NAME)
                wait_until(lambda: is_stored_directly(service), what=service.log)
            load.wait_for(20)
        assert load.count() == len(load.forwards)
        assert service.stop() == 0
    with running(data) as service:
        wait_until(lambda: is_stored_directly(service), what=service.log)
    assert list_lost(sqlite_store, load, after=after) == []


def test_damage_that_shows_anywhere_sends_messages_to_the_spool(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy.sqlite3"
    with running(data) as service:
        for number in range(50):
            assert service.forward(f"before-{number}").status == 200
        back_up(data, copy)
        assert service.stop() == 0
    pages = sqlite_store.fetch(
        "SELECT rootpage FROM sqlite_master WHERE tbl_name IN ('alerts', 'outbound') AND rootpage"
    )
    with running(data) as service:
        # As a bad sector would: the time of the last change stays what it was.
        path = data / NAME
        times = path.stat()
        with path.open("r+b") as file:
            for (page,) in pages:
                file.seek((page - 1) * 4096)
                file.write(b"\xa5" * 4096)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        subprocess.run(["sync", "-d", path], check=False)
        answers = []
        for number in range(50):
            answers.append(service.forward(f"after-{number}").status)
            time.sleep(0.05)
        assert answers == [200] * 50
        wait_until_told(service, "damaged")
        assert service.ask("/readyz").json["spool"]["status"] == "degraded"
        assert service.call("/messages").status in (200, 503)
        copy.replace(path)
        wait_until(lambda: is_stored_directly(service), what=service.log)
        stored = set(sqlite_store.list_ids())
        spooled = {f"after-{number}" for number in range(25, 50)}
        assert spooled <= stored


def test_another_program_that_writes_all_the_time_is_no_reason_to_refuse_a_call(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    with running(tmp_path / "data") as service:
        for number in range(60):
            write_from_outside(tmp_path / "data", tmp_path)
            assert service.call("/opt-outs", method="POST", body=make_opt_out(number)).status == 201
            assert service.call("/messages").status == 200
            assert service.forward(f"text-{number}").status == 200
        wait_until(lambda: is_stored_directly(service), what=service.log)
        assert not service.get("/alerts?open=true")["items"]
        assert service.stop() == 0
        assert "sqlite_file_lost" not in service.read_log()
    assert len(sqlite_store.list_ids()) == 60


def make_opt_out(number: int) -> dict[str, str]:
    return {"number": f"4477009001{number:02}"}
