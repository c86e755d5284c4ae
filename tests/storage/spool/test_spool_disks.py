"""The spool on disks that are full, read-only or failing: nothing acknowledged is lost."""

import errno
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.storage.durable import SpoolError
from app.storage.spool.adoption import adopt
from app.storage.spool.quarantine import count_kept, refuse
from app.storage.spool.spool import Spool
from tests.support.storage.faulty_disk import FaultyDisk
from tests.support.storage.spools import adopt_only, drain, drain_all, files_of, leave_as_killed


@pytest.mark.parametrize("room", [0, 1, 24, 4000, 4120, 9000])
def test_an_append_that_the_disk_takes_in_part_leaves_nothing_behind(
    root: Path, names: Iterator[str], disk: FaultyDisk, room: int
) -> None:
    spool = Spool.create(root / "a", names)
    spool.append([b"one"])
    disk.room = room
    for _ in range(3):
        with pytest.raises(SpoolError, match="disk is full"):
            spool.append([b"lost" * 5000, b"lost too"])
    assert spool.depth == 1
    assert spool.is_sound()
    disk.heal()
    spool.append([b"two"])
    leave_as_killed(spool, root)
    assert drain_all(root) == [b"one", b"two"]
    assert count_kept(root) == (0, 0)


@pytest.mark.parametrize(
    ("error_number", "text"),
    [
        (errno.ENOSPC, "database or disk is full"),
        (errno.EDQUOT, "Disk quota exceeded"),
        (errno.EIO, "disk I/O error"),
        (errno.EROFS, "disk I/O error"),
    ],
)
def test_a_disk_that_fails_is_named_and_recovers(
    root: Path, names: Iterator[str], disk: FaultyDisk, error_number: int, text: str
) -> None:
    spool = Spool.create(root / "a", names)
    spool.append([b"one"])
    disk.fail("sqlite-pwrite", error_number, times=99)
    if error_number == errno.EDQUOT:
        disk.fail("write", error_number)
    with pytest.raises(SpoolError, match=text):
        spool.append([b"lost"])
    disk.heal()
    spool.append([b"two"])
    leave_as_killed(spool, root)
    assert drain_all(root) == [b"one", b"two"]


def test_short_writes_are_carried_on(root: Path, disk: FaultyDisk) -> None:
    refuse(root, b"x" * 100, "first")
    disk.fail("write", 0)
    path = refuse(root, b"y" * 10_000, "why")
    assert path.read_bytes() == b"why\n" + b"y" * 10_000


ONE_FSYNC_FAILS = """
import ctypes, os, platform, struct, sys
from pathlib import Path
from app.storage.spool.own_spool import OwnSpool

def fail_fsync_of(fd):
    # A filter of system calls: fsync and fdatasync of this descriptor give EIO from now on.
    load, equals, give = 0x20, 0x15, 0x06
    fsync, fdatasync = {"x86_64": (74, 75), "aarch64": (82, 83)}[platform.machine()]
    steps = [
        (load, 0, 0, 0),
        (equals, 1, 0, fsync),
        (equals, 0, 3, fdatasync),
        (load, 0, 0, 16),
        (equals, 0, 1, fd),
        (give, 0, 0, 0x00050000 | 5),
        (give, 0, 0, 0x7FFF0000),
    ]
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(program)
    description = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.c_char_p(description), 0, 0) == 0

own = OwnSpool(Path(sys.argv[1]), "mine")
assert own.append([b"one"]) == [None]
[fd] = [
    int(name) for name in os.listdir("/proc/self/fd")
    if os.path.realpath(f"/proc/self/fd/{name}").endswith("-wal")
]
fail_fsync_of(fd)
answers = [own.append([b"not answered"] * 100)]
# The new file gets other descriptors.
spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(4)]
answers.append(own.append([b"two"]))
print([[str(error) for error in errors if error] for errors in answers], flush=True)
os.kill(os.getpid(), 9)
"""


def test_no_append_returns_before_fsync_and_after_a_failed_one_a_new_file_is_begun(
    root: Path,
) -> None:
    command = [sys.executable, "-c", ONE_FSYNC_FAILS, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == -9, done.stderr
    assert done.stdout.count("mine.1.sqlite3 failed (disk I/O error)") == 100
    assert done.stdout.endswith("[]]\n")
    found = adopt(root)
    assert [spool.id for spool in found.spools] == ["mine.1", "mine.2"]
    first, second = (drain(spool) for spool in found.spools)
    assert first[:1] == [b"one"]
    assert second == [b"two"]


@pytest.mark.parametrize(
    ("call", "after"),
    [
        ("mkdir", 0),
        ("mkdir", 1),
        ("open", 0),
        ("open", 1),
        ("open", 2),
        ("open", 3),
        ("fsync-folder", 0),
        ("fsync-folder", 1),
        ("fsync-folder", 2),
        *(("sqlite-pwrite", after) for after in range(14)),
        ("sqlite-open", 0),
        ("sqlite-open", 1),
        ("sqlite-fcntl", 0),
    ],
)
def test_a_file_that_cannot_be_made_leaves_nothing_and_is_made_later(
    root: Path, names: Iterator[str], disk: FaultyDisk, call: str, after: int
) -> None:
    disk.fail(call, errno.EIO, after=after)
    with pytest.raises(SpoolError):
        Spool.create(root, names)
    assert not root.exists() or list(root.iterdir()) == []
    disk.heal()
    spool = Spool.create(root, names)
    spool.append([b"one"])
    assert drain(spool) == [b"one"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 512 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "letterbox-test", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill_up(spool: Spool) -> list[bytes]:
    """What it took until the disk was full to the last block."""
    taken: list[bytes] = []
    for size in (8, 1):
        with suppress(SpoolError):
            for number in itertools.count():
                group = [b"%06d-%d" % (number, part) * 70 for part in range(size)]
                spool.append(group)
                taken += group
    return taken


@pytest.mark.parametrize("killed", [False, True])
def test_a_disk_that_is_really_full_loses_nothing_and_takes_records_again(
    small_disk: Path, names: Iterator[str], killed: bool
) -> None:
    spool = Spool.create(small_disk, names)
    acknowledged = fill_up(spool)
    with pytest.raises(SpoolError, match="disk is full"):
        spool.append([b"x" * 5000])
    assert spool.depth == len(acknowledged) > 100
    # What is released cannot be deleted now, but it is not read again.
    batch = spool.read(max_records=100, max_bytes=1_000_000)
    assert batch is not None
    spool.release(batch)
    if killed:
        files = {path.name: path.read_bytes() for path in files_of(spool)}
        spool.close()
        for path in files_of(spool):
            path.unlink()
        for name, content in files.items():
            (small_disk / name).write_bytes(content)
        spool = adopt_only(small_disk)
    delivered = drain(spool)
    assert delivered == acknowledged[-len(delivered) :]
    assert len(delivered) >= len(acknowledged) - len(batch.records)
    spool.close()
    assert list(small_disk.iterdir()) == []
    fresh = Spool.create(small_disk, names)
    fresh.append([b"after"])
    assert drain(fresh) == [b"after"]


def test_a_spool_cannot_be_made_on_a_full_or_read_only_disk(
    small_disk: Path, names: Iterator[str]
) -> None:
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    assert shutil.disk_usage(small_disk).free == 0
    with pytest.raises(SpoolError, match=r"(?i)no space left|disk is full"):
        Spool.create(small_disk / "spool", names)
    assert [path.name for path in (small_disk / "spool").iterdir()] == []
    filler.unlink()
    spool = Spool.create(small_disk / "spool", names)
    spool.append([b"one"])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], capture_output=True)
    if os.statvfs(small_disk).f_flag & os.ST_RDONLY:
        with pytest.raises(SpoolError):
            spool.append([b"two"])
    assert drain(spool) == [b"one"]
    spool.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SpoolError, match="Read-only file system"):
        Spool.create(small_disk / "spool", names)


def test_a_refused_record_is_kept_once_with_its_reason(root: Path) -> None:
    assert count_kept(root) == (0, 0)
    path = refuse(root, b"\x00record\n", "22021: invalid byte\nsequence")
    assert path.parent == root / "refused"
    assert path.read_bytes() == b"22021: invalid byte sequence\n\x00record\n"
    assert refuse(root, b"\x00record\n", "again") == path
    refuse(root, b"another", "too long")
    (root / "refused" / ".half-written").touch()
    assert count_kept(root) == (2, 0)


def test_a_refused_record_is_durable_before_and_after_it_gets_its_name(
    root: Path, disk: FaultyDisk
) -> None:
    refuse(root, b"record", "why")
    assert disk.calls[-5:] == ["write", "fsync", "rename", "open", "fsync-folder"]


@pytest.mark.parametrize("call", ["mkdir", "write", "fsync", "rename", "fsync-folder"])
def test_a_refused_record_that_is_not_durable_is_an_error(
    root: Path, disk: FaultyDisk, call: str
) -> None:
    disk.fail(call, errno.ENOSPC)
    with pytest.raises(SpoolError, match="No space left"):
        refuse(root, b"record", "why")
    assert count_kept(root) == (0, 0)
    path = refuse(root, b"record", "why")
    assert list(path.parent.iterdir()) == [path]
