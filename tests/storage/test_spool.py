"""The spool keeps what it acknowledged, in order, through full disks, broken disks and kills."""

import errno
import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.storage.segments import MAX_RECORD_BYTES, encode_record
from app.storage.spool import Spool, SpoolError, adopt, count_refused, refuse
from tests.support.faulty_disk import FaultyDisk

HEADER_BYTES = len(encode_record(b""))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def make_id() -> Callable[[], str]:
    counter = itertools.count(1)
    return lambda: f"spool-{next(counter)}"


def drain(spool: Spool, max_records: int = 100) -> list[bytes]:
    records: list[bytes] = []
    while batch := spool.read(max_records=max_records, max_bytes=1_000_000):
        records += batch.records
        spool.release(batch)
    return records


def adopt_only(root: Path) -> Spool:
    adoption = adopt(root)
    assert adoption.failures == []
    [spool] = adoption.spools
    return spool


def segments_of(spool: Spool) -> list[Path]:
    return sorted(spool.folder.glob("*.segment"))


def write_dead_spool(root: Path, *segments: bytes) -> None:
    """A folder as a process that died leaves it."""
    folder = root / "dead"
    folder.mkdir(parents=True)
    for number, content in enumerate(segments, 1):
        (folder / f"{number:010d}.segment").write_bytes(content)


def encode(*records: bytes) -> bytes:
    return b"".join(map(encode_record, records))


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


@pytest.mark.parametrize("room", [0, 1, HEADER_BYTES, HEADER_BYTES + 3, 2 * HEADER_BYTES + 4])
def test_an_append_that_the_disk_takes_in_part_leaves_nothing_behind(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk, room: int
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    [segment] = segments_of(spool)
    size = segment.stat().st_size
    disk.room = room
    with pytest.raises(SpoolError, match="No space left"):
        spool.append([b"lost", b"lost too"])
    assert segment.stat().st_size == size
    assert spool.depth == 1
    disk.heal()
    spool.append([b"two"])
    assert segments_of(spool) == [segment]
    assert drain(spool) == [b"one", b"two"]


def test_a_full_disk_that_fails_the_first_append_leaves_no_segment(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    disk.room = 5
    for _ in range(3):
        with pytest.raises(SpoolError):
            spool.append([b"lost"])
    assert segments_of(spool) == []
    disk.heal()
    spool.append([b"kept"])
    assert drain(spool) == [b"kept"]


def test_short_writes_are_carried_on(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    disk.most_at_once = 1500
    spool.append([b"x" * 4000])
    assert disk.calls.count("pwrite") == 3
    assert drain(spool) == [b"x" * 4000]


def test_a_segment_whose_tail_cannot_be_cut_off_is_not_written_again(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    disk.room = 30
    disk.fail("ftruncate", errno.EIO)
    with pytest.raises(SpoolError):
        spool.append([b"lost"] * 10)
    [first] = segments_of(spool)
    abandoned = first.read_bytes()
    disk.heal()
    spool.append([b"two"])
    assert first.read_bytes() == abandoned
    assert len(segments_of(spool)) == 2
    assert drain(spool) == [b"one", b"two"]
    assert (spool.depth, spool.damaged) == (0, [])


def test_after_a_failed_fsync_a_new_segment_is_begun_and_nothing_unsaid_is_counted(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    disk.fail("fsync", errno.EIO)
    with pytest.raises(SpoolError, match="Input/output error"):
        spool.append([b"lost"])
    assert spool.depth == 1
    spool.append([b"two"])
    first, second = segments_of(spool)
    assert first.read_bytes() == encode(b"one")
    assert second.read_bytes() == encode(b"two")
    disk.die()
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one", b"two"]
    assert adopted.damaged == []


@pytest.mark.parametrize("call", ["fsync", "fsync-folder"])
def test_a_new_segment_that_is_not_surely_durable_is_given_up(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk, call: str
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    disk.fail(call, errno.EIO)
    with pytest.raises(SpoolError):
        spool.append([b"lost"])
    assert segments_of(spool) == []
    spool.append([b"kept"])
    assert [path.name for path in segments_of(spool)] == ["0000000002.segment"]
    assert drain(spool) == [b"kept"]


@pytest.mark.parametrize(
    ("call", "after"),
    [
        ("mkdir", 0),
        ("mkdir", 1),
        ("rename", 0),
        ("open", 0),
        ("open", 1),
        ("open", 2),
        ("fsync-folder", 0),
        ("fsync-folder", 1),
    ],
)
def test_a_folder_that_cannot_be_made_leaves_nothing_and_is_made_later(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk, call: str, after: int
) -> None:
    root.parent.mkdir()
    disk.fail(call, errno.ENOSPC, after=after)
    with pytest.raises(SpoolError, match="No space left"):
        Spool.create(root, make_id=make_id, files=disk)
    assert not root.exists() or list(root.iterdir()) == []
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    assert drain(spool) == [b"one"]


class DiskUnderWatch(FaultyDisk):
    """Before each call an adopter looks at the spool."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.adopted: list[Spool] = []
        self._root = root

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        self.adopted += adopt(self._root).spools
        super().mkdir(path, mode)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        self.adopted += adopt(self._root).spools
        return super().open(path, flags, mode)

    def rename(self, src: Path, dst: Path) -> None:
        self.adopted += adopt(self._root).spools
        super().rename(src, dst)


def test_a_folder_in_the_making_is_adopted_by_nobody(
    root: Path, make_id: Callable[[], str]
) -> None:
    disk = DiskUnderWatch(root)
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    assert drain(spool) == [b"one"]
    assert disk.adopted == []


def test_a_name_that_is_taken_is_not_taken_twice(root: Path) -> None:
    names = iter(["same", "same", "other"])
    first = Spool.create(root, make_id=lambda: next(names))
    second = Spool.create(root, make_id=lambda: next(names))
    assert (first.id, second.id) == ("same", "other")
    with pytest.raises(SpoolError, match="no free name"):
        Spool.create(root, make_id=lambda: "same")


@pytest.mark.parametrize("name", ["refused", "damaged", "../up", "", "lost+found"])
def test_a_name_that_means_something_else_is_refused(root: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        Spool.create(root, make_id=lambda: name)


def test_closing_an_empty_spool_removes_its_folder(root: Path, make_id: Callable[[], str]) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one"])
    drain(spool)
    spool.close()
    spool.close()
    assert list(root.iterdir()) == []
    with pytest.raises(ValueError, match="drained"):
        spool.append([b"too late"])


def test_a_closed_spool_with_records_is_adopted_and_then_removed(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one", b"two"])
    spool.close()
    assert {path.name for path in spool.folder.iterdir()} == {"lock", "0000000001.segment"}
    adopted = adopt_only(root)
    assert (adopted.id, adopted.depth) == (spool.id, 2)
    assert adopted.disk_bytes == len(encode(b"one", b"two"))
    with pytest.raises(ValueError, match="drained"):
        adopted.append([b"three"])
    assert drain(adopted) == [b"one", b"two"]
    adopted.close()
    assert list(root.iterdir()) == []


def test_a_folder_whose_process_lives_is_left_alone(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    assert adopt(root).spools == []
    disk.die()
    adopted = adopt_only(root)
    assert adopt(root).spools == []
    assert drain(adopted) == [b"one"]


def test_only_folders_of_the_spool_are_adopted(root: Path) -> None:
    assert adopt(root).spools == []
    write_dead_spool(root, encode(b"one"))
    for name in ("refused", "damaged", "lost+found", ".hidden"):
        (root / name).mkdir()
    (root / "file").write_text("not a folder")
    write_dead_spool(root.parent / "elsewhere", encode(b"two"))
    (root / "link").symlink_to(root.parent / "elsewhere" / "dead")
    assert adopt_only(root).id == "dead"
    assert list((root / "lost+found").iterdir()) == []


def test_a_folder_that_died_before_it_held_anything_is_removed(root: Path) -> None:
    write_dead_spool(root)
    adopted = adopt_only(root)
    assert adopted.read(max_records=1, max_bytes=1) is None
    adopted.close()
    assert list(root.iterdir()) == []


def test_one_folder_that_cannot_be_opened_does_not_keep_the_others(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    for record in (b"one", b"two"):
        spool = Spool.create(root, make_id=make_id)
        spool.append([record])
        spool.close()
    disk.fail("open", errno.EACCES)
    adoption = adopt(root, files=disk)
    assert [drain(spool) for spool in adoption.spools] == [[b"two"]]
    [failure] = adoption.failures
    assert "spool-1 failed (Permission denied)" in str(failure)


def test_a_segment_that_cannot_be_read_now_gives_the_lock_back(
    root: Path, disk: FaultyDisk
) -> None:
    write_dead_spool(root, encode(b"one"))
    disk.fail("pread", errno.ENOMEM)
    assert len(adopt(root, files=disk).failures) == 1
    assert drain(adopt_only(root)) == [b"one"]


def test_a_torn_tail_is_skipped_wherever_it_was_cut(root: Path) -> None:
    whole = encode(b"one", b"two")
    tail = encode(b"never acknowledged", b"nor this")
    for cut in range(len(tail)):
        write_dead_spool(root, whole + tail[:cut])
        adopted = adopt_only(root)
        sound = [b"one", b"two", b"never acknowledged"]
        complete = cut >= len(encode(b"never acknowledged"))
        assert drain(adopted) == sound[: 3 if complete else 2]
        adopted.close()
        assert adopted.damaged == []
        assert list(root.iterdir()) == []


@pytest.mark.parametrize("written", range(HEADER_BYTES + 5))
def test_a_torn_tail_of_zeros_is_skipped(root: Path, written: int) -> None:
    torn = encode(b"never acknowledged")[:written].ljust(5000, b"\0")
    write_dead_spool(root, encode(b"one") + torn)
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one"]
    adopted.close()
    assert adopted.damaged == []


def test_a_last_record_that_fails_its_checksum_is_a_torn_tail(root: Path) -> None:
    write_dead_spool(root, encode(b"one") + encode(b"two")[:-1] + b"?")
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one"]
    assert adopted.damaged == []


@pytest.mark.parametrize("offset", range(HEADER_BYTES + 3))
def test_damage_costs_one_record_and_the_segment_is_kept(root: Path, offset: int) -> None:
    content = bytearray(encode(b"one", b"two", b"three"))
    content[len(encode(b"one")) + offset] ^= 0x40
    write_dead_spool(root, bytes(content), encode(b"four"))
    adopted = adopt_only(root)
    assert adopted.depth == 3
    assert drain(adopted) == [b"one", b"three", b"four"]
    adopted.close()
    assert adopted.damaged == [root / "damaged" / "dead-0000000001.segment"]
    assert adopted.damaged[0].read_bytes() == content
    assert [path.name for path in root.iterdir()] == ["damaged"]


def test_the_move_of_a_damaged_segment_is_made_durable(root: Path, disk: FaultyDisk) -> None:
    write_dead_spool(root, b"garbage" + encode(b"one"))
    [adopted] = adopt(root, files=disk).spools
    disk.calls.clear()
    drain(adopted)
    both_folders = ["open", "fsync-folder"] * 2
    assert disk.calls[disk.calls.index("rename") :] == ["rename", *both_folders]


def test_a_torn_tail_before_the_last_segment_is_damage(root: Path) -> None:
    write_dead_spool(root, encode(b"one", b"two")[:-1], encode(b"three"))
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one", b"three"]
    assert [path.name for path in adopted.damaged] == ["dead-0000000001.segment"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"no record at all",
        encode(b"lost")[:4] + b"\xff\xff\xff\x7f" + b"....and so on",
        encode(b"lost")[:-1] + b"?" + encode(b"cut short")[:-1],
    ],
    ids=["no-magic", "garbage-length", "more-behind-a-bad-record"],
)
def test_a_tail_that_no_crash_explains_is_damage(root: Path, garbage: bytes) -> None:
    write_dead_spool(root, encode(b"one") + garbage)
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one"]
    assert len(adopted.damaged) == 1


def test_a_segment_without_one_sound_record_is_kept(root: Path) -> None:
    write_dead_spool(root, b"garbage" * 10, encode(b"one"))
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one"]
    adopted.close()
    assert [path.read_bytes() for path in adopted.damaged] == [b"garbage" * 10]


def test_rot_in_a_living_segment_is_noticed_when_it_is_read(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one", b"two", b"three"])
    [segment] = segments_of(spool)
    with segment.open("r+b") as file:
        file.seek(len(encode(b"one", b"two")) - 1)
        file.write(b"?")
    assert drain(spool) == [b"one", b"three"]
    assert len(spool.damaged) == 1
    spool.append([b"four"])
    assert spool.depth == 1
    assert drain(spool) == [b"four"]


def test_a_living_segment_that_lost_its_end_gives_what_is_left(
    root: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(root, make_id=make_id)
    spool.append([b"one", b"two"])
    os.truncate(segments_of(spool)[0], len(encode(b"one")) + 3)
    assert drain(spool) == [b"one"]
    assert spool.depth == 0
    assert len(spool.damaged) == 1


def test_a_bad_sector_costs_only_the_records_in_it(root: Path, disk: FaultyDisk) -> None:
    records = [b"%04d" % number * 250 for number in range(20)]
    write_dead_spool(root, encode(*records))
    disk.bad_block = range(8192, 8193)
    [adopted] = adopt(root, files=disk).spools
    step = HEADER_BYTES + 1000
    lost = range(8192 // step, 12288 // step + 1)
    assert drain(adopted) == [record for n, record in enumerate(records) if n not in lost]
    assert len(adopted.damaged) == 1


def test_a_bad_sector_in_the_last_tail_is_no_torn_write(root: Path, disk: FaultyDisk) -> None:
    write_dead_spool(root, encode(b"x" * (4096 - HEADER_BYTES), b"two"))
    disk.bad_block = range(4096, 4100)
    [adopted] = adopt(root, files=disk).spools
    assert drain(adopted) == [b"x" * (4096 - HEADER_BYTES)]
    assert len(adopted.damaged) == 1


def test_a_passing_failure_to_read_loses_nothing(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    disk.fail("open", errno.EMFILE)
    with pytest.raises(SpoolError, match="Too many open files"):
        spool.read(max_records=1, max_bytes=100)
    assert drain(spool) == [b"one"]


def test_a_file_that_cannot_be_removed_is_tried_again(
    root: Path, make_id: Callable[[], str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, make_id=make_id, files=disk)
    spool.append([b"one"])
    disk.fail("unlink", errno.EIO, times=2)
    assert drain(spool) == [b"one"]
    assert spool.depth == 0
    assert spool.disk_bytes == len(encode(b"one"))
    spool.append([b"two"])
    assert drain(spool) == [b"two"]
    assert (segments_of(spool), spool.disk_bytes) == ([], 0)
    spool.append([b"three"])
    disk.fail("unlink", errno.EIO, times=2)
    assert drain(spool) == [b"three"]
    spool.close()
    assert list(root.iterdir()) == []


def test_a_damaged_segment_that_cannot_be_moved_is_not_removed(
    root: Path, disk: FaultyDisk
) -> None:
    content = b"garbage" * 10 + encode(b"one")
    write_dead_spool(root, content)
    disk.fail("rename", errno.EIO, times=9)
    [adopted] = adopt(root, files=disk).spools
    assert drain(adopted) == [b"one"]
    adopted.close()
    assert adopted.damaged == []
    assert segments_of(adopted)[0].read_bytes() == content
    again = adopt_only(root)
    assert drain(again) == [b"one"]
    assert len(again.damaged) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "letterbox-test", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_really_full_loses_nothing_and_takes_records_again(
    small_disk: Path, make_id: Callable[[], str]
) -> None:
    spool = Spool.create(small_disk, make_id=make_id, segment_bytes=32_768)
    acknowledged: list[bytes] = []
    with suppress(SpoolError):
        for number in itertools.count():
            group = [b"%06d-%d" % (number, part) * 70 for part in range(8)]
            spool.append(group)
            acknowledged += group
    with pytest.raises(SpoolError, match="No space left"):
        spool.append([b"x" * 5000])
    assert spool.depth == len(acknowledged) > 300
    batch = spool.read(max_records=100, max_bytes=1_000_000)
    assert batch is not None
    spool.release(batch)
    spool.append([b"after"])
    spool.close()
    delivered = drain(adopt_only(small_disk))
    acknowledged.append(b"after")
    # The drained part of a segment comes again, whole segments do not.
    assert delivered == acknowledged[-len(delivered) :]
    assert len(acknowledged) - len(batch.records) <= len(delivered) < len(acknowledged)


def test_a_spool_cannot_be_made_on_a_full_or_read_only_disk(
    small_disk: Path, make_id: Callable[[], str]
) -> None:
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    assert shutil.disk_usage(small_disk).free == 0
    spool = Spool.create(small_disk / "spool", make_id=make_id)
    with pytest.raises(SpoolError, match="No space left"):
        spool.append([b"one"])
    filler.unlink()
    spool.append([b"one"])
    spool.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SpoolError, match="Read-only file system"):
        Spool.create(small_disk / "spool", make_id=make_id)


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from app.storage.spool import Spool

spool = Spool.create(Path(sys.argv[1]), make_id=lambda: "writer", segment_bytes=20_000)
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
        lines = list(itertools.islice(process.stdout, 60))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout
    acknowledged = int(lines[-1])
    adopted = adopt_only(root)
    numbers = [int(record[:6]) for record in drain(adopted)]
    adopted.close()
    assert numbers == list(range(len(numbers)))
    assert acknowledged <= len(numbers) <= acknowledged + 7
    assert adopted.damaged == []


ADOPT_AND_HOLD = """
import sys
from pathlib import Path
from app.storage.spool import adopt

print("ready", flush=True)
sys.stdin.readline()
print(*(spool.id for spool in adopt(Path(sys.argv[1])).spools), flush=True)
sys.stdin.readline()
"""


def test_processes_that_race_adopt_each_folder_once(root: Path, make_id: Callable[[], str]) -> None:
    for _ in range(100):
        spool = Spool.create(root, make_id=make_id, files=FaultyDisk(syncs=False))
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
    assert sorted(adopted) == sorted(f"spool-{number}" for number in range(1, 101))


def test_folders_that_come_and_go_under_racing_adopters_are_delivered_once(root: Path) -> None:
    delivered: list[bytes] = []
    counter = itertools.count()
    finished = threading.Event()

    def write_spools() -> None:
        for number in range(150):
            spool = Spool.create(
                root, make_id=lambda: f"s{next(counter)}", files=FaultyDisk(syncs=False)
            )
            spool.append([b"%d" % number])
            spool.close()

    def adopt_until_done() -> None:
        while not finished.is_set() or (root.exists() and list(root.iterdir())):
            adoption = adopt(root, files=FaultyDisk(syncs=False))
            assert adoption.failures == []
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
            adopter.result()
    assert sorted(map(int, delivered)) == list(range(150))


def test_a_refused_record_is_kept_once_with_its_reason(root: Path) -> None:
    assert count_refused(root) == 0
    path = refuse(root, b"\x00record\n", "22021: invalid byte\nsequence")
    assert path.parent == root / "refused"
    assert path.read_bytes() == b"22021: invalid byte sequence\n\x00record\n"
    assert refuse(root, b"\x00record\n", "again") == path
    refuse(root, b"another", "too long")
    (root / "refused" / ".half-written").touch()
    assert count_refused(root) == 2


def test_a_refused_record_is_durable_before_and_after_it_gets_its_name(
    root: Path, disk: FaultyDisk
) -> None:
    refuse(root, b"record", "why", files=disk)
    assert disk.calls[-5:] == ["pwrite", "fsync", "rename", "open", "fsync-folder"]


@pytest.mark.parametrize("call", ["mkdir", "pwrite", "fsync", "rename", "fsync-folder"])
def test_a_refused_record_that_is_not_durable_is_an_error(
    root: Path, disk: FaultyDisk, call: str
) -> None:
    disk.fail(call, errno.ENOSPC)
    with pytest.raises(SpoolError, match="No space left"):
        refuse(root, b"record", "why", files=disk)
    assert count_refused(root) == 0
    path = refuse(root, b"record", "why", files=disk)
    assert list(path.parent.iterdir()) == [path]
