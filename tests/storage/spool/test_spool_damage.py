"""A torn tail is skipped; damage costs the records it hit, and the segment is kept."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.storage.spool.spool import Spool, SpoolError, adopt
from tests.support.faulty_disk import FaultyDisk
from tests.support.spools import (
    HEADER_BYTES,
    adopt_only,
    drain,
    encode,
    segments_of,
    write_dead_spool,
)


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
    disk.fail("pread", errno.ENOMEM)
    with pytest.raises(SpoolError, match="Cannot allocate memory"):
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
