"""The spool keeps what it acknowledged, in order, durably, for its owner alone."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.spool.spool import Spool
from tests.support.storage.faulty_disk import FaultyDisk
from tests.support.storage.spools import adopt_only, drain, files_of, leave_as_killed


def test_records_come_back_in_the_order_they_were_appended(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"one", b"", b"two"])
    spool.append([b"three"])
    assert spool.depth == 4
    assert spool.disk_bytes == sum(path.stat().st_size for path in files_of(spool))
    assert drain(spool, max_records=3) == [b"one", b"", b"two", b"three"]
    assert (spool.depth, spool.is_damaged) == (0, False)


def test_reading_removes_nothing_until_the_batch_is_released(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"one", b"two"])
    batch = spool.read(max_records=1, max_bytes=100)
    assert batch is not None
    assert batch == spool.read(max_records=1, max_bytes=100)
    spool.release(batch)
    assert spool.depth == 1
    with pytest.raises(ValueError, match="once"):
        spool.release(batch)
    assert drain(spool) == [b"two"]


def test_what_is_appended_between_read_and_release_is_delivered_next(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"one"])
    batch = spool.read(max_records=10, max_bytes=100)
    spool.append([b"two"])
    assert batch is not None
    spool.release(batch)
    assert drain(spool) == [b"two"]


def test_a_batch_is_bounded_by_records_and_bytes_and_a_large_record_comes_alone(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"a" * 40, b"b" * 40, b"c" * 40, b"d" * 400, b"e"])
    sizes = []
    while batch := spool.read(max_records=2, max_bytes=90):
        sizes.append([len(record) for record in batch.records])
        spool.release(batch)
    assert sizes == [[40, 40], [40], [400], [1]]


def test_a_batch_of_no_records_cannot_be_asked_for(root: Path, names: Iterator[str]) -> None:
    spool = Spool.create(root, names)
    with pytest.raises(ValueError, match="at least 1"):
        spool.read(max_records=0, max_bytes=1)


def test_the_folder_and_its_files_are_for_their_owner_alone(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"one"])
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert [path.name for path in files_of(spool)] == ["spool.1.sqlite3", "spool.1.sqlite3-wal"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files_of(spool)} == {0o600}


def test_what_was_released_is_not_delivered_again_after_a_kill(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root / "a", names)
    spool.append([b"record-%03d" % number for number in range(30)])
    for _ in range(5):
        batch = spool.read(max_records=5, max_bytes=10_000)
        assert batch is not None
        spool.release(batch)
    leave_as_killed(spool, root)
    assert drain(adopt_only(root)) == [b"record-%03d" % number for number in range(25, 30)]


def test_a_spool_that_is_drained_as_fast_as_it_fills_does_not_grow(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"x" * 1000] * 10)
    sizes = []
    for _ in range(600):
        spool.append([b"x" * 1000] * 10)
        batch = spool.read(max_records=10, max_bytes=100_000)
        assert batch is not None
        spool.release(batch)
        sizes.append(spool.disk_bytes)
    assert spool.depth == 10
    assert sizes[-1] < sizes[300] + 100_000


def test_a_spool_that_was_drained_empty_takes_records_again(
    root: Path, names: Iterator[str]
) -> None:
    spool = Spool.create(root, names)
    for record in (b"one", b"two", b"three"):
        spool.append([record])
        assert drain(spool) == [record]


def test_an_append_of_nothing_writes_nothing(
    root: Path, names: Iterator[str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, names)
    disk.calls.clear()
    spool.append([])
    assert disk.calls == []


@pytest.mark.parametrize("size", [4096, 4 * 1024**2 + 1, 32 * 1024**2])
def test_a_record_of_any_size_is_taken(root: Path, names: Iterator[str], size: int) -> None:
    spool = Spool.create(root / "a", names)
    spool.append([b"small", b"x" * size])
    spool.append([b"small again"])
    leave_as_killed(spool, root)
    assert drain(adopt_only(root)) == [b"small", b"x" * size, b"small again"]


def test_a_new_file_is_fsynced_in_its_folder_before_it_is_used(
    root: Path, names: Iterator[str], disk: FaultyDisk
) -> None:
    Spool.create(root, names)
    assert disk.calls[-1] == "fsync-folder"
    assert disk.calls.index("sqlite-pwrite") < len(disk.calls) - 1


def test_a_new_folder_is_fsynced_in_every_folder_above_that_was_made(
    root: Path, names: Iterator[str], disk: FaultyDisk
) -> None:
    Spool.create(root, names)
    assert disk.calls.count("mkdir") == 2
    assert disk.calls.count("fsync-folder") == 3
