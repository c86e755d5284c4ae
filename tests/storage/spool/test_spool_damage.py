"""A torn tail is skipped; damage costs the records it hit, and the file is kept for a person."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.storage.durable import SpoolError
from app.storage.spool.adoption import adopt
from app.storage.spool.record_file import find_wal
from app.storage.spool.spool import Spool
from tests.support.storage.faulty_disk import FaultyDisk
from tests.support.storage.spools import adopt_only, drain, drain_all, files_of, write_dead_spool

FRAME_BYTES = 4096 + 24


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def find(path: Path, data: bytes) -> int:
    """Where it stands last."""
    offset = path.read_bytes().rindex(data)
    assert offset > 0
    return offset


def kept_in(root: Path) -> list[str]:
    folder = root / "damaged"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_torn_tail_is_skipped_wherever_it_was_cut(root: Path) -> None:
    made = write_dead_spool(root.parent / "whole", [b"one", b"two"])
    whole = find_wal(made).stat().st_size
    write_dead_spool(root.parent / "more", [b"one", b"two"], [b"never acknowledged", b"nor this"])
    for cut in (*range(whole, whole + 30), *range(whole, whole + 2 * FRAME_BYTES, 500)):
        shutil.copytree(root.parent / "more", root)
        os.truncate(find_wal(root / made.name), cut)
        adopted = adopt_only(root)
        assert drain(adopted) == [b"one", b"two"]
        adopted.close()
        assert adopted.damaged == []
        assert list(root.iterdir()) == []
        root.rmdir()


@pytest.mark.parametrize("written", [0, 1, 24, 3000, FRAME_BYTES, FRAME_BYTES + 10])
def test_a_torn_tail_of_zeros_is_skipped(root: Path, written: int) -> None:
    path = find_wal(write_dead_spool(root, [b"one"], [b"never acknowledged"]))
    tail = path.stat().st_size - 2 * FRAME_BYTES
    overwrite(path, tail + written, b"\0" * (2 * FRAME_BYTES - written))
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one"]
    adopted.close()
    assert adopted.damaged == []


def test_a_last_append_that_fails_its_checksum_is_a_torn_tail(root: Path) -> None:
    path = find_wal(write_dead_spool(root, [b"one"], [b"never acknowledged"]))
    overwrite(path, find(path, b"acknowledged"), b"?")
    adopted = adopt_only(root)
    assert drain(adopted) == [b"one"]
    assert kept_in(root) == []


def test_damage_before_the_last_append_is_told_and_the_journal_is_kept(root: Path) -> None:
    path = find_wal(write_dead_spool(root, [b"one"], [b"two"], [b"three"], [b"four"]))
    content = path.read_bytes()
    overwrite(path, content.index(b"two"), b"?")
    adoption = adopt(root)
    [adopted] = adoption.spools
    assert drain(adopted) == [b"one"]
    assert adoption.damaged == [root / "damaged" / "dead.1.sqlite3.journal"]
    assert b"four" in adoption.damaged[0].read_bytes()


@pytest.mark.parametrize("offset", [*range(0, 32, 3), 32 + 8, 32 + 24 + 50])
def test_damage_to_the_journals_beginning_is_told(root: Path, offset: int) -> None:
    path = find_wal(write_dead_spool(root, [b"one"], [b"two"], [b"three"]))
    flipped = path.read_bytes()[offset] ^ 0x40
    overwrite(path, offset, bytes([flipped]))
    assert drain_all(root) == []
    assert kept_in(root) == ["dead.1.sqlite3.journal"]


def test_journals_of_an_earlier_round_are_no_damage(root: Path) -> None:
    rounds = [
        [b"%05d" % number * 100 for number in range(start, start + 40)]
        for start in range(0, 4000, 40)
    ]
    write_dead_spool(root, *rounds)
    assert drain_all(root) == [record for records in rounds for record in records]
    assert kept_in(root) == []


@pytest.mark.parametrize("victim", [b"0007", b"0000", b"0199"])
def test_damage_costs_one_record_and_the_file_is_kept(root: Path, victim: bytes) -> None:
    records = [b"%04d" % number for number in range(200)]
    path = write_dead_spool(root, records, in_place=True)
    overwrite(path, find(path, victim), b"?")
    content = path.read_bytes()
    adopted = adopt_only(root)
    assert adopted.depth == 200
    assert drain(adopted) == [record for record in records if record != victim]
    adopted.close()
    assert adopted.damaged == [root / "damaged" / path.name]
    assert adopted.damaged[0].read_bytes() == content
    assert [path.name for path in root.iterdir()] == ["damaged"]


@pytest.mark.parametrize(("appended", "released"), [(200, 150), (3, 0), (0, 0), (2**60, 0)])
def test_damage_to_what_the_file_says_of_its_records_costs_none(
    root: Path, appended: int, released: int
) -> None:
    records = [b"%04d" % number for number in range(200)]
    path = write_dead_spool(root, records, in_place=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE state SET appended = ?, released = ?", (appended, released))
    assert drain_all(root) == records
    assert kept_in(root)[0] == path.name


@pytest.mark.parametrize("harm", ["DELETE FROM state", "UPDATE state SET begun_at = 'garbage'"])
def test_a_file_that_does_not_say_whose_it_is_is_kept_whole(root: Path, harm: str) -> None:
    path = write_dead_spool(root, [b"one"], in_place=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(harm)
    assert drain_all(root) == []
    assert kept_in(root)[0] == path.name


def test_a_file_whose_damaged_schema_is_no_utf_8_is_kept_and_the_others_are_read(
    root: Path,
) -> None:
    path = write_dead_spool(root, [b"one"], in_place=True)
    overwrite(path, find(path, b" (julianday"), b"\x80")
    write_dead_spool(root, [b"two"], name="other.1")
    assert drain_all(root) == [b"two"]
    assert kept_in(root)[0] == path.name


def test_a_record_that_became_a_text_that_is_no_utf_8_costs_no_other(root: Path) -> None:
    path = write_dead_spool(root, [b"one", b"two", b"three"], in_place=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE records SET record = CAST(x'80' AS TEXT) WHERE id = 2")
    assert drain_all(root) == [b"one", b"three"]
    assert kept_in(root)[0] == path.name


def test_damage_to_a_page_costs_the_records_in_it(root: Path) -> None:
    records = [b"%04d" % number * 200 for number in range(100)]
    path = write_dead_spool(root, records, in_place=True)
    page = find(path, records[50]) // 4096 * 4096
    overwrite(path, page, os.urandom(4096))
    adopted = adopt_only(root)
    delivered = drain(adopted)
    assert 90 < len(delivered) < 100
    assert delivered == [record for record in records if record in delivered]
    adopted.close()
    assert kept_in(root)[0] == path.name


def test_what_is_readable_before_a_drain_that_was_interrupted_is_delivered_again(
    root: Path,
) -> None:
    records = [b"%04d" % number for number in range(20)]
    path = write_dead_spool(root, records, in_place=True)
    overwrite(path, find(path, b"0010"), b"?")
    adopted = adopt_only(root)
    batch = adopted.read(max_records=15, max_bytes=1000)
    assert batch is not None
    adopted.release(batch)
    adopted.close()
    assert adopted.damaged == []
    assert drain_all(root) == [record for record in records if record != b"0010"]
    assert kept_in(root)[0] == path.name


@pytest.mark.parametrize("content", [b"x" * 4095, b"x", b""])
def test_a_file_that_was_cut_short_under_its_journal_is_kept(root: Path, content: bytes) -> None:
    path = write_dead_spool(root, [b"one"])
    path.write_bytes(content)
    journal = find_wal(path).read_bytes()
    write_dead_spool(root, [b"two"], name="other.1")
    adoption = adopt(root)
    assert [drain(spool) for spool in adoption.spools] == [[b"two"]]
    assert adoption.damaged == [root / "damaged" / path.name]
    assert adoption.damaged[0].read_bytes() == content
    assert find_wal(adoption.damaged[0]).read_bytes() == journal


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"x" * 4096, b"x"])
def test_a_file_that_is_no_database_any_more_is_kept(root: Path, content: bytes) -> None:
    path = write_dead_spool(root, [b"one"], in_place=True)
    path.write_bytes(content)
    write_dead_spool(root, [b"two"], name="other.1")
    adoption = adopt(root)
    assert [drain(spool) for spool in adoption.spools] == [[b"two"]]
    assert adoption.damaged == [root / "damaged" / path.name]
    assert adoption.damaged[0].read_bytes() == content


def test_a_journal_that_has_everything_makes_up_for_its_file(root: Path) -> None:
    write_dead_spool(root, [b"one"]).write_bytes(b"garbage" * 1000)
    assert drain_all(root) == [b"one"]


@pytest.mark.parametrize("size", [4096, 8192, 12288, 20000])
def test_a_file_that_was_cut_short_gives_what_is_left_and_is_kept(root: Path, size: int) -> None:
    records = [b"%04d" % number * 200 for number in range(20)]
    path = write_dead_spool(root, records, in_place=True)
    assert path.stat().st_size > 20000
    os.truncate(path, size)
    delivered = drain_all(root)
    assert delivered == records[: len(delivered)]
    assert kept_in(root) == [path.name]


def test_rot_in_a_living_spool_is_noticed_when_it_is_read(root: Path, names: Iterator[str]) -> None:
    spool = Spool.create(root, names)
    # More than SQLite keeps in memory.
    records = [b"%05d" % number * 200 for number in range(6000)]
    for start in range(0, len(records), 500):
        spool.append(records[start : start + 500])
    with spool.path.open("r+b") as file:
        file.seek(find(spool.path, records[100]))
        file.write(b"?")
    assert drain(spool) == [record for record in records if record != records[100]]
    with pytest.raises(SpoolError, match="damaged"):
        spool.append([b"more"])
    spool.close()
    assert spool.damaged == [root / "damaged" / "spool.1.sqlite3"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_living_spool_that_was_cut_short_takes_no_more(
    root: Path, names: Iterator[str], which: int
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"one", b"two"])
    os.truncate(files_of(spool)[which], 100)
    assert not spool.is_sound()
    with pytest.raises(SpoolError, match="not at its path"):
        spool.append([b"three"])


@pytest.mark.parametrize("where", ["file", "journal"])
def test_a_bad_sector_costs_only_the_records_in_it(
    root: Path, disk: FaultyDisk, where: str
) -> None:
    records = [b"%04d" % number * 250 for number in range(60)]
    path = write_dead_spool(root, *[[each] for each in records], in_place=where == "file")
    disk.bad_file = path if where == "file" else find_wal(path)
    middle = disk.bad_file.stat().st_size // 2
    disk.bad_block = range(middle, middle + 512)
    adoption = adopt(root)
    assert adoption.failures == []
    delivered = [record for spool in adoption.spools for record in drain(spool)]
    for spool in adoption.spools:
        spool.close()
    if where == "file":
        assert len(records) - 9 < len(delivered) < len(records)
    assert delivered == [record for record in records if record in delivered]
    assert kept_in(root)[0] == path.name


def test_a_passing_failure_to_read_loses_nothing(root: Path, disk: FaultyDisk) -> None:
    write_dead_spool(root, [b"one" * 5000], in_place=True)
    adopted = adopt_only(root)
    disk.fail("sqlite-pread", errno.ENOMEM)
    with pytest.raises(SpoolError, match="disk I/O error"):
        adopted.read(max_records=1, max_bytes=100)
    assert drain(adopted) == [b"one" * 5000]
    assert not adopted.is_damaged


def test_files_that_cannot_be_removed_are_tried_again(
    root: Path, names: Iterator[str], disk: FaultyDisk
) -> None:
    spool = Spool.create(root, names)
    spool.append([b"one"])
    disk.fail("unlink", errno.EIO, times=3)
    assert drain(spool) == [b"one"]
    spool.close()
    disk.heal()
    assert drain_all(root) == [b"one"]  # once more, which the rows' key makes harmless
    assert list(root.iterdir()) == []


def test_a_damaged_file_that_cannot_be_moved_is_not_removed(root: Path, disk: FaultyDisk) -> None:
    path = write_dead_spool(root, [b"%04d" % number for number in range(9)], in_place=True)
    overwrite(path, find(path, b"0003"), b"?")
    content = path.read_bytes()
    disk.fail("rename", errno.EIO, times=9)
    adopted = adopt_only(root)
    assert len(drain(adopted)) == 8
    adopted.close()
    assert adopted.damaged == []
    assert path.read_bytes() == content
    disk.heal()
    assert len(drain_all(root)) == 8
    assert kept_in(root)[0] == path.name


def test_the_move_of_a_damaged_file_is_made_durable(root: Path, disk: FaultyDisk) -> None:
    path = write_dead_spool(root, [b"one", b"two"], in_place=True)
    overwrite(path, find(path, b"two"), b"?")
    adopted = adopt_only(root)
    drain(adopted)
    disk.calls.clear()
    adopted.close()
    after = disk.calls[len(disk.calls) - disk.calls[::-1].index("rename") :]
    assert after.count("fsync-folder") == 2
