"""A process's own spool: whatever becomes of its file, what it has acknowledged is kept."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.storage.durable import SpoolError
from app.storage.spool.adoption import adopt
from app.storage.spool.own_spool import OwnSpool
from app.storage.spool.spool import Spool
from tests.support.storage.faulty_disk import FaultyDisk
from tests.support.storage.spools import drain, drain_all

FIRST = "mine.1.sqlite3"


def remove(root: Path) -> None:
    shutil.rmtree(root)


def remove_with_parents(root: Path) -> None:
    shutil.rmtree(root.parent)


def move_away(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))


def remove_file(root: Path) -> None:
    (root / FIRST).unlink()


def remove_journal(root: Path) -> None:
    (root / f"{FIRST}-wal").unlink()


def replace_file(root: Path) -> None:
    content = (root / FIRST).read_bytes()
    remove_file(root)
    (root / FIRST).write_bytes(content)


def empty_file(root: Path) -> None:
    os.truncate(root / FIRST, 0)


def empty_journal(root: Path) -> None:
    os.truncate(root / f"{FIRST}-wal", 0)


def put_a_folder_there(root: Path) -> None:
    remove_file(root)
    (root / FIRST).mkdir()


def put_a_file_in_place_of_the_folder(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))
    root.mkdir()
    (root / FIRST).write_text("in the way")


WAYS = [
    remove,
    remove_with_parents,
    move_away,
    remove_file,
    remove_journal,
    replace_file,
    empty_file,
    empty_journal,
    put_a_folder_there,
    put_a_file_in_place_of_the_folder,
]


@pytest.mark.parametrize("harm", WAYS)
@pytest.mark.parametrize("before", [0, 3])
def test_what_is_acknowledged_is_at_the_path_whatever_became_of_the_file(
    root: Path, harm: Callable[[Path], None], before: int
) -> None:
    own = OwnSpool(root, "mine")
    own.open()
    acknowledged = [b"before %d" % number for number in range(before)]
    if acknowledged:
        assert own.append(acknowledged) == [None] * before
    harm(root)
    for number in range(3):
        assert own.append([b"after %d" % number]) == [None]
        acknowledged.append(b"after %d" % number)
    assert own.depth == len(acknowledged)
    own.give_up()
    found = [record for record in drain_all(root) if record in acknowledged]
    assert [*dict.fromkeys(found)] == acknowledged


def test_a_spool_that_moved_is_told_once_with_what_could_not_be_read(root: Path) -> None:
    own = OwnSpool(root, "mine")
    # More than SQLite keeps in memory.
    records = [b"%05d" % number * 200 for number in range(6000)]
    for start in range(0, len(records), 500):
        own.append(records[start : start + 500])
    os.truncate(root / FIRST, (root / FIRST).stat().st_size // 2)
    own.append([b"second"])
    own.append([b"third"])
    [(path, lost)] = own.moves
    assert path == root / FIRST
    assert 0 < lost < 6000
    assert own.depth == 6000 - lost + 2
    own.give_up()
    shutil.rmtree(root / "damaged", ignore_errors=True)
    delivered = drain_all(root)
    assert delivered[-2:] == [b"second", b"third"]


def test_a_damaged_spool_is_replaced_and_kept_for_a_person(root: Path) -> None:
    own = OwnSpool(root, "mine")
    records = [b"%05d" % number * 200 for number in range(6000)]
    for start in range(0, len(records), 500):
        own.append(records[start : start + 500])
    content = (root / FIRST).read_bytes()
    with (root / FIRST).open("r+b") as file:
        file.seek(content.index(records[700]))
        file.write(b"?")
    batch = own.read(max_records=800, max_bytes=10_000_000)
    assert batch is not None
    assert len(batch.records) == 799
    assert own.append([b"more"]) == [None]
    assert (own.damaged, own.moves) == ([root / "damaged" / FIRST], [])
    own.give_up()
    assert drain_all(root) == [*records[:700], *records[701:], b"more"]


def test_a_probe_makes_a_file_that_has_gone_before_it_is_needed(root: Path) -> None:
    own = OwnSpool(root, "mine")
    own.probe()
    remove_with_parents(root)
    own.probe()
    assert sorted(path.name for path in root.iterdir()) == ["mine.2.sqlite3", "mine.2.sqlite3-wal"]
    assert own.moves == [(root / FIRST, 0)]


def test_a_file_that_vanishes_during_a_drain_loses_nothing(root: Path) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"one", b"two"])
    batch = own.read(max_records=1, max_bytes=100)
    assert batch is not None
    remove(root)
    own.release(batch)
    own.append([b"three"])
    left = own.read(max_records=9, max_bytes=100)
    assert left is not None
    assert left.records == (b"two", b"three")


def test_the_file_goes_once_it_is_drained_and_the_next_one_has_another_name(root: Path) -> None:
    own = OwnSpool(root, "mine")
    for number in (1, 2, 3):
        own.append([b"one"])
        assert own.disk_bytes > 4096
        batch = own.read(max_records=9, max_bytes=100)
        assert batch is not None
        assert (root / f"mine.{number}.sqlite3").exists()
        own.release(batch)
        assert (own.depth, own.disk_bytes, list(root.iterdir())) == (0, 0, [])
        assert own.read(max_records=9, max_bytes=100) is None


def test_while_no_file_can_be_made_nothing_is_said_to_be_kept(root: Path, disk: FaultyDisk) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"one"])
    remove(root)
    disk.fail("mkdir", errno.EACCES, times=2)
    [error] = own.append([b"two"])
    assert isinstance(error, SpoolError)
    with pytest.raises(SpoolError, match="Permission denied"):
        own.probe()
    assert own.append([b"three"]) == [None]
    own.give_up()
    assert drain_all(root) == [b"one", b"three"]


def test_a_file_that_is_hidden_and_comes_back_goes_on(root: Path, disk: FaultyDisk) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"one"])
    move_away(root)
    disk.fail("mkdir", errno.EACCES, times=2)
    for _ in range(2):
        [error] = own.append([b"not answered"])
        assert isinstance(error, SpoolError)
    root.with_name("elsewhere").rename(root)
    assert own.append([b"two"]) == [None]
    own.give_up()
    assert [record for record in drain_all(root) if record != b"not answered"] == [b"one", b"two"]


def test_a_file_that_was_hidden_while_it_was_written_goes_on(root: Path, disk: FaultyDisk) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"one"])

    def hide(call: str) -> None:
        if call == "sqlite-pwrite" and root.exists():
            move_away(root)
            disk.fail("mkdir", errno.EACCES)

    disk.before = hide
    [error] = own.append([b"two"])
    assert isinstance(error, SpoolError)
    disk.before = lambda _: None
    root.with_name("elsewhere").rename(root)
    assert own.append([b"three"]) == [None]
    own.give_up()
    assert drain_all(root) == [b"one", b"two", b"three"]


def test_a_file_that_is_gone_and_cannot_be_read_gives_what_is_left(
    root: Path, disk: FaultyDisk
) -> None:
    own = OwnSpool(root, "mine")
    records = [b"%05d" % number * 200 for number in range(6000)]
    for start in range(0, len(records), 500):
        own.append(records[start : start + 500])
    move_away(root)
    disk.fail("sqlite-pread", errno.ENOMEM)
    batch = own.read(max_records=9, max_bytes=10_000)
    assert batch is not None
    assert batch.records == tuple(records[:9])
    assert own.depth == 6000
    assert own.moves == [(root / FIRST, 0)]


def test_a_record_that_is_too_large_for_sqlite_keeps_no_other_from_the_spool(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def connect_with_less(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)  # a billion otherwise
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_with_less)
    own = OwnSpool(root, "mine")
    records = [b"%d" % number for number in range(20)]
    records[7] = bytes(100_001)
    errors = own.append(records)
    assert [number for number, error in enumerate(errors) if error] == [7]
    own.give_up()
    assert drain_all(root) == [*records[:7], *records[8:]]


def test_where_room_is_left_for_some_records_those_are_taken(root: Path, disk: FaultyDisk) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"first"])
    disk.room = 40_000
    errors = own.append([b"x" * 50_000, b"short", b"x" * 50_000, b"short too"])
    assert [error is None for error in errors] == [False, True, False, True]
    own.give_up()
    disk.heal()
    assert drain_all(root) == [b"first", b"short", b"short too"]


def test_a_disk_that_fails_is_not_asked_for_each_record(root: Path, disk: FaultyDisk) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"first"])
    disk.fail("sqlite-pwrite", errno.EIO, times=999)
    disk.calls.clear()
    errors = own.append([b"record"] * 100)
    assert all(isinstance(error, SpoolError) for error in errors)
    assert disk.calls.count("sqlite-pwrite") < 5


def test_a_probe_says_whether_the_disk_takes_a_batch(root: Path, disk: FaultyDisk) -> None:
    own = OwnSpool(root, "mine")
    own.probe()
    disk.room = 10_000
    with pytest.raises(SpoolError, match="No space left"):
        own.probe()
    disk.heal()
    own.probe()
    assert sorted(path.name for path in root.iterdir()) == [FIRST, f"{FIRST}-wal"]


def test_a_copy_in_place_of_a_living_spool_is_not_drained_under_its_owner(root: Path) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"one"])
    remove_journal(root)
    replace_file(root)
    for thief in adopt(root).spools:
        drain(thief)
        thief.close()
    assert own.append([b"two"]) == [None]
    own.give_up()
    assert {b"one", b"two"} <= {*drain_all(root)}


def test_a_file_that_was_moved_away_and_back_is_stored_once_more(root: Path) -> None:
    own = OwnSpool(root, "mine")
    own.append([b"one"])
    move_away(root)
    own.append([b"two"])
    for path in root.with_name("elsewhere").iterdir():
        path.rename(root / path.name)
    assert drain_all(root) == [b"one"]
    own.give_up()
    assert drain_all(root) == [b"one", b"two"]


def test_a_spool_knows_whether_it_is_where_others_look(root: Path) -> None:
    spool = Spool.create(root, iter(["mine"]))
    assert spool.is_in_place()
    move_away(root)
    assert not spool.is_in_place()
    spool.close()
    assert not spool.is_in_place()
