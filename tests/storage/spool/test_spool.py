"""The spool keeps what it acknowledged, in order, durably, for its owner alone."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.storage.spool.segments import MAX_RECORD_BYTES
from app.storage.spool.spool import Spool
from tests.support.faulty_disk import FaultyDisk
from tests.support.spools import HEADER_BYTES, adopt_only, drain, segments_of


def test_records_come_back_in_the_order_they_were_appended(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one", b"", b"two"])
    spool.append([b"three"])
    assert spool.depth == 4
    assert spool.disk_bytes == sum(path.stat().st_size for path in segments_of(spool))
    assert drain(spool, max_records=3) == [b"one", b"", b"two", b"three"]
    assert (spool.depth, spool.disk_bytes, spool.damaged) == (0, 0, [])


def test_reading_removes_nothing_until_the_batch_is_released(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
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
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one"])
    batch = spool.read(max_records=10, max_bytes=100)
    spool.append([b"two"])
    assert batch is not None
    spool.release(batch)
    assert drain(spool) == [b"two"]


def test_a_batch_is_bounded_by_records_and_bytes_and_a_large_record_comes_alone(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"a" * 40, b"b" * 40, b"c" * 40, b"d" * 400, b"e"])
    sizes = []
    while batch := spool.read(max_records=2, max_bytes=90):
        sizes.append([len(record) for record in batch.records])
        spool.release(batch)
    assert sizes == [[40, 40], [40], [400], [1]]


def test_a_batch_of_no_records_cannot_be_asked_for(root: Path, make_id: Callable[[], str]) -> None:
    spool = Spool.create(root, make_id=make_id)
    with pytest.raises(ValueError, match="at least 1"):
        spool.read(max_records=0, max_bytes=1)


def test_the_folder_and_its_files_are_for_their_owner_alone(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one"])
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.folder.iterdir()} == {0o600}


def test_the_age_of_the_oldest_record_is_known(root: Path, make_id: Callable[[], str]) -> None:
    spool = Spool.create(root, make_id=make_id)
    assert spool.oldest_at is None
    spool.append([b"one"])
    [segment] = segments_of(spool)
    written_at = datetime.fromtimestamp(segment.stat().st_mtime, UTC)
    assert spool.oldest_at == written_at
    spool.close()
    assert adopt_only(root).oldest_at == written_at


def test_segments_roll_and_vanish_while_they_are_drained(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id, segment_bytes=2 * (HEADER_BYTES + 10))
    records = [b"record-%03d" % number for number in range(30)]
    for record in records:
        spool.append([record])
    assert len(segments_of(spool)) == 15
    counts: list[int] = []
    delivered: list[bytes] = []
    while batch := spool.read(max_records=5, max_bytes=10_000):
        delivered += batch.records
        spool.release(batch)
        counts.append(len(segments_of(spool)))
    assert delivered == records
    assert counts == list(range(14, -1, -1))


def test_an_append_that_is_larger_than_a_segment_gets_one_of_its_own(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id, segment_bytes=100)
    spool.append([b"small"])
    spool.append([b"x" * 90, b"y" * 90])
    spool.append([b"small again"])
    assert len(segments_of(spool)) == 3
    assert drain(spool) == [b"small", b"x" * 90, b"y" * 90, b"small again"]


def test_a_spool_that_was_drained_empty_takes_records_again(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    for record in (b"one", b"two", b"three"):
        spool.append([record])
        assert drain(spool) == [record]
        assert segments_of(spool) == []


def test_an_append_of_nothing_writes_nothing(root: Path, make_id: Callable[[], str]) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([])
    assert segments_of(spool) == []


def test_a_record_over_the_bound_is_refused_before_anything_is_written(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    with pytest.raises(ValueError, match="over"):
        spool.append([b"fits", b"x" * (MAX_RECORD_BYTES + 1)])
    assert segments_of(spool) == []
    spool.append([b"x" * MAX_RECORD_BYTES])
    assert drain(spool) == [b"x" * MAX_RECORD_BYTES]


def test_file_and_then_folder_are_fsynced_before_an_append_returns(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    disk.calls.clear()
    spool.append([b"one"])
    assert disk.calls == ["open", "pwrite", "fsync", "open", "fsync-folder"]
    disk.calls.clear()
    spool.append([b"two", b"three"])
    assert disk.calls == ["pwrite", "fsync"]


def test_a_new_folder_is_fsynced_in_every_folder_above_that_was_made(
    tmp_path: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    Spool.create(tmp_path / "data" / "spool", make_id=make_id, files=disk)
    assert disk.calls.count("mkdir") == 3
    assert disk.calls.count("fsync-folder") == 3
