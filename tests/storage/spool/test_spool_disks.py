"""The spool on disks that are full, read-only or failing: nothing acknowledged is lost."""

import errno
import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.storage.spool.spool import Spool, SpoolError, count_refused, refuse
from tests.support.faulty_disk import FaultyDisk
from tests.support.spools import HEADER_BYTES, adopt_only, drain, encode, segments_of


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
