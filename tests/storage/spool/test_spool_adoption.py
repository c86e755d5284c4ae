"""Who adopts a spool's file, after kills and in races: somebody, and once."""

import errno
import gc
import itertools
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.storage.durable import SpoolError
from app.storage.spool.adoption import adopt, count_waiting
from app.storage.spool.own_spool import OwnSpool
from app.storage.spool.spool import Spool
from tests.support.storage.faulty_disk import FaultyDisk
from tests.support.storage.spools import (
    adopt_only,
    drain,
    drain_all,
    leave_as_killed,
    write_dead_spool,
)


def test_whoever_looks_while_a_file_is_made_takes_no_record(root: Path, disk: FaultyDisk) -> None:
    adopted: list[Spool] = []

    def look(_: str) -> None:
        disk.before = lambda _: None
        found = adopt(root)
        assert (found.failures, found.damaged) == ([], [])
        adopted.extend(found.spools)
        disk.before = look

    disk.before = look
    own = OwnSpool(root, "mine")
    assert own.append([b"one", b"two"]) == [None, None]
    disk.before = lambda _: None
    assert [spool.depth for spool in adopted] == [0] * len(adopted)
    batch = own.read(max_records=9, max_bytes=100)
    assert batch is not None
    assert batch.records == (b"one", b"two")


def test_a_name_that_is_taken_is_not_taken_twice(root: Path) -> None:
    first = Spool.create(root, iter(["same"]))
    second = Spool.create(root, iter(["same", "other"]))
    assert (first.id, second.id) == ("same", "other")
    with pytest.raises(SpoolError, match="no free name"):
        Spool.create(root, iter(["same"]))


def test_a_file_system_without_locks_is_named(
    root: Path, names: Iterator[str], disk: FaultyDisk
) -> None:
    for error_number in (errno.ENOLCK, errno.EOPNOTSUPP):
        disk.fail("sqlite-fcntl", error_number, times=99)
        with pytest.raises(
            SpoolError, match="no working locks; keep LETTERBOX_DATA_DIR on a local"
        ):
            Spool.create(root, names)
        disk.heal()
    assert list(root.iterdir()) == []


def test_closing_an_empty_spool_removes_its_files(root: Path, names: Iterator[str]) -> None:
    spool = Spool.create(root, names)
    spool.append([b"one"])
    drain(spool)
    spool.close()
    spool.close()
    assert list(root.iterdir()) == []
    with pytest.raises(SpoolError, match="not at its path"):
        spool.append([b"too late"])


def test_a_closed_spool_with_records_is_adopted_and_then_removed(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names, mark=b"ours")
    spool.append([b"one", b"two"])
    spool.close()
    assert [path.name for path in root.iterdir()] == ["spool.1.sqlite3"]
    adopted = adopt_only(root)
    assert (adopted.id, adopted.process_id, adopted.depth) == ("spool.1", "spool", 2)
    assert adopted.mark == b"ours"
    assert drain(adopted) == [b"one", b"two"]
    adopted.close()
    assert list(root.iterdir()) == []


def test_a_file_whose_process_lives_is_left_alone(root: Path, names: Iterator[str]) -> None:
    spool = Spool.create(root / "a", names)
    spool.append([b"one"])
    assert adopt(root / "a").spools == []
    leave_as_killed(spool, root)
    adopted = adopt_only(root)
    assert adopt(root).spools == []
    assert drain(adopted) == [b"one"]


def test_the_spool_that_was_begun_first_comes_first(root: Path) -> None:
    for number in (3, 1, 2):
        write_dead_spool(root, [b"%d" % number], name=f"dead{number}.1")
    [first, *_] = spools = adopt(root).spools
    assert [spool.read(max_records=1, max_bytes=1).records for spool in spools] == [  # type: ignore[union-attr]
        (b"3",),
        (b"1",),
        (b"2",),
    ]
    # A drain that was interrupted changes nothing about it.
    batch = first.read(max_records=1, max_bytes=1)
    assert batch is not None
    for spool in spools:
        spool.close()
    assert drain_all(root) == [b"3", b"1", b"2"]


def test_a_spool_of_another_database_is_left_alone(root: Path, names: Iterator[str]) -> None:
    for mark in (b"ours", b"theirs", None):
        spool = Spool.create(root, names, mark=mark)
        spool.append([mark or b"nobody's"])
        spool.close()
    adoption = adopt(root, is_ours=lambda mark: mark == b"ours")
    assert adoption.foreign == [(root / "spool.2.sqlite3", b"theirs")]
    assert [drain(spool) for spool in adoption.spools] == [[b"ours"], [b"nobody's"]]
    for spool in adoption.spools:
        spool.close()
    assert drain_all(root) == [b"theirs"]


def test_only_files_of_the_spool_are_adopted(root: Path) -> None:
    assert adopt(root).spools == []
    write_dead_spool(root, [b"one"])
    for name in ("refused", "damaged", "lost+found", ".hidden", "a-folder"):
        (root / name).mkdir()
    (root / "file").write_text("not a spool")
    (root / "dead.2.sqlite3-wal").write_text("without its file")
    elsewhere = write_dead_spool(root.parent / "elsewhere", [b"two"])
    (root / "link.sqlite3").symlink_to(elsewhere)
    before = {path.name for path in root.iterdir()}
    adopted = adopt_only(root)
    assert adopted.id == "dead.1"
    drain(adopted)
    adopted.close()
    assert before - {path.name for path in root.iterdir()} == {
        "dead.1.sqlite3",
        "dead.1.sqlite3-wal",
    }
    assert list((root / "lost+found").iterdir()) == []


def test_a_sqlite_file_that_is_no_spool_is_not_removed(root: Path) -> None:
    root.mkdir(parents=True)
    with sqlite3.connect(root / "copy.sqlite3") as connection:
        connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY)")
    connection.close()
    [failure] = adopt(root).failures
    assert "no such table: state" in str(failure)
    assert (root / "copy.sqlite3").exists()


def test_a_file_that_died_before_it_held_anything_is_removed(root: Path) -> None:
    path = write_dead_spool(root)
    path.with_name(f"{path.name}-wal").unlink()
    adopted = adopt_only(root)
    assert adopted.read(max_records=1, max_bytes=1) is None
    adopted.close()
    assert list(root.iterdir()) == []


def test_a_process_that_dies_at_any_moment_of_making_its_file_keeps_nobody_from_theirs(
    root: Path,
) -> None:
    failures = 0
    for dies_after in range(40):
        disk = FaultyDisk()

        def look(call: str, disk: FaultyDisk = disk, dies_after: int = dies_after) -> None:
            # From there on nothing that it does reaches the disk, cleaning up included.
            if (
                call in ("sqlite-pwrite", "sqlite-unlink", "unlink")
                and len(disk.calls) > dies_after
            ):
                disk.fail(call, errno.EIO)

        disk.before = look
        with disk.installed():
            try:
                Spool.create(root, iter([f"dying{dies_after}.1"])).append([b"never answered"])
            except SpoolError:
                failures += 1
        # What has just been made is young; all there is takes seconds, forty times.
        gc.collect(1)
        found = adopt(root)
        assert (found.failures, found.damaged) == ([], [])
        for spool in found.spools:
            assert set(drain(spool)) <= {b"never answered"}
            spool.close()
    assert 10 < failures < 40
    # A file that was never written to is left to an owner that may be about to lock it.
    left = {path.name: path.stat().st_size for path in root.iterdir()}
    left.pop(".probe", None)
    assert set(left.values()) <= {0}


def test_one_file_that_cannot_be_opened_does_not_keep_the_others(
    root: Path, disk: FaultyDisk
) -> None:
    write_dead_spool(root, [b"one"], name="dead1.1")
    write_dead_spool(root, [b"two"], name="dead2.1")
    disk.fail("sqlite-open", errno.EACCES, times=2)
    adoption = adopt(root)
    assert [drain(spool) for spool in adoption.spools] == [[b"two"]]
    [failure] = adoption.failures
    assert "dead1.1.sqlite3 failed (unable to open database file)" in str(failure)


def test_a_file_that_cannot_be_read_now_is_not_kept_locked(root: Path, disk: FaultyDisk) -> None:
    write_dead_spool(root, [b"one"])
    disk.fail("sqlite-pread", errno.ENOMEM)
    assert len(adopt(root).failures) == 1
    assert drain(adopt_only(root)) == [b"one"]


def test_what_waits_is_counted_without_taking_it(root: Path, names: Iterator[str]) -> None:
    assert count_waiting(root) == 0
    write_dead_spool(root, [b"one"], [b"two"])
    Spool.create(root, names).append([b"its process lives"])
    assert count_waiting(root) == count_waiting(root) == 2
    assert drain_all(root) == [b"one", b"two"]


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from app.storage.spool.spool import Spool

spool = Spool.create(Path(sys.argv[1]), iter(["writer.1"]))
number = 0
while True:
    group = range(number, number + 1 + number % 7)
    spool.append([b"%06d-" % n + b"x" * (n % 900) for n in group])
    number = group.stop
    print(number, flush=True)
"""


def test_everything_acknowledged_survives_kill_9(root: Path) -> None:
    command = [sys.executable, "-c", APPEND_FOR_EVER, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = list(itertools.islice(process.stdout, 600))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout
    acknowledged = int(lines[-1])
    adopted = adopt_only(root)
    numbers = [int(record[:6]) for record in drain(adopted)]
    adopted.close()
    assert numbers == list(range(len(numbers)))
    assert acknowledged <= len(numbers) <= acknowledged + 7
    assert not adopted.is_damaged
    assert list(root.iterdir()) == []


ADOPT_AND_HOLD = """
import sys
from pathlib import Path
from app.storage.spool.adoption import adopt

print("ready", flush=True)
sys.stdin.readline()
print(*(spool.id for spool in adopt(Path(sys.argv[1])).spools), flush=True)
sys.stdin.readline()
"""


def test_processes_that_race_adopt_each_file_once(root: Path, names: Iterator[str]) -> None:
    for _ in range(100):
        spool = Spool.create(root, names)
        spool.append([b"one"])
        spool.close()
    command = [sys.executable, "-c", ADOPT_AND_HOLD, str(root)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        pipes = [(p.stdin, p.stdout) for p in processes if p.stdin and p.stdout]
        assert [output.readline() for _, output in pipes] == ["ready\n"] * 3
        for given, _ in pipes:
            given.write("go\n")
            given.flush()
        adopted = [name for _, output in pipes for name in output.readline().split()]
    finally:
        for process in processes:
            process.communicate("stop\n")
    assert sorted(adopted) == sorted(f"spool.{number}" for number in range(1, 101))


def test_files_that_come_and_go_under_racing_adopters_are_delivered_once(root: Path) -> None:
    delivered: list[bytes] = []
    finished = threading.Event()

    def write_spools() -> None:
        names = (f"s{number}.1" for number in itertools.count())
        for number in range(150):
            spool = Spool.create(root, names)
            spool.append([b"%d" % number])
            spool.close()

    def adopt_until_done() -> None:
        while not finished.is_set() or (root.exists() and list(root.iterdir())):
            adoption = adopt(root)
            assert (adoption.failures, adoption.damaged) == ([], [])
            for spool in adoption.spools:
                delivered.extend(drain(spool))
                spool.close()

    with ThreadPoolExecutor(4) as pool:
        adopters = [pool.submit(adopt_until_done) for _ in range(3)]
        try:
            pool.submit(write_spools).result()
        finally:
            finished.set()
        for adopter in adopters:
            adopter.result(60)
    assert sorted(map(int, delivered)) == list(range(150))
