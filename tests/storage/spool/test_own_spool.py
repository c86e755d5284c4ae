"""A process's own spool: whatever becomes of its folder, what it has acknowledged is kept."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.storage.spool.own_spool import OwnSpool
from app.storage.spool.segments import MAX_RECORD_BYTES
from app.storage.spool.spool import Spool, SpoolError, adopt
from tests.support.faulty_disk import FaultyDisk
from tests.support.spools import drain


def make_own(root: Path, disk: FaultyDisk | None = None) -> OwnSpool:
    return OwnSpool(root, make_id=lambda: "mine", files=disk or FaultyDisk(syncs=False))


def read_all(root: Path) -> list[bytes]:
    """What whoever comes next finds."""
    return [record for spool in adopt(root).spools for record in drain(spool)]


def remove(root: Path) -> None:
    shutil.rmtree(root / "mine")


def remove_with_parents(root: Path) -> None:
    shutil.rmtree(root.parent)


def move_away(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))


def remove_segments(root: Path) -> None:
    for path in root.glob("mine/*.segment"):
        path.unlink()


def remove_lock(root: Path) -> None:
    (root / "mine" / "lock").unlink()


def replace_lock(root: Path) -> None:
    remove_lock(root)
    (root / "mine" / "lock").touch()


def put_a_file_there(root: Path) -> None:
    shutil.rmtree(root / "mine")
    (root / "mine").write_text("in the way")


WAYS = [
    remove,
    remove_with_parents,
    move_away,
    remove_segments,
    remove_lock,
    replace_lock,
    put_a_file_there,
]


@pytest.mark.parametrize("harm", WAYS)
@pytest.mark.parametrize("before", [0, 3])
def test_what_is_acknowledged_is_at_the_path_whatever_became_of_the_folder(
    root: Path, harm: Callable[[Path], None], before: int
) -> None:
    own = make_own(root)
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
    assert [*dict.fromkeys(read_all(root))] == acknowledged


def test_a_spool_that_moved_is_told_once_with_what_could_not_be_read(root: Path) -> None:
    own = make_own(root)
    own.append([b"x" * MAX_RECORD_BYTES])  # fills the first segment, which is closed then
    own.append([b"second"])
    remove(root)
    own.append([b"third"])
    own.append([b"fourth"])
    assert own.moves == [(root / "mine", 1)]
    own.give_up()
    assert read_all(root) == [b"second", b"third", b"fourth"]


def test_a_probe_makes_a_folder_that_has_gone_before_it_is_needed(root: Path) -> None:
    own = make_own(root)
    own.probe()
    remove_with_parents(root)
    own.probe()
    assert [path.name for path in root.iterdir()] == ["mine"]
    assert own.moves == [(root / "mine", 0)]


def test_a_folder_that_vanishes_during_a_drain_loses_nothing(root: Path) -> None:
    own = make_own(root)
    own.append([b"one", b"two"])
    batch = own.read(max_records=1, max_bytes=100)
    assert batch is not None
    remove(root)
    own.release(batch)
    own.append([b"three"])
    left = own.read(max_records=9, max_bytes=100)
    assert left is not None
    assert left.records == (b"two", b"three")


def test_while_no_folder_can_be_made_nothing_is_said_to_be_kept(root: Path) -> None:
    disk = FaultyDisk(syncs=False)
    own = make_own(root, disk)
    own.append([b"one"])
    remove(root)
    disk.fail("mkdir", errno.EACCES, times=2)
    [error] = own.append([b"two"])
    assert isinstance(error, SpoolError)
    with pytest.raises(SpoolError, match="Permission denied"):
        own.probe()
    assert own.append([b"three"]) == [None]
    own.give_up()
    assert {b"one", b"three"} <= {*read_all(root)}


def test_a_record_that_is_too_large_keeps_no_other_from_the_spool(root: Path) -> None:
    own = make_own(root)
    records = [b"%d" % number for number in range(20)]
    records[7] = b"x" * (MAX_RECORD_BYTES + 1)
    errors = own.append(records)
    assert [number for number, error in enumerate(errors) if error] == [7]
    own.give_up()
    assert read_all(root) == [*records[:7], *records[8:]]


def test_where_room_is_left_for_some_records_those_are_taken(root: Path) -> None:
    disk = FaultyDisk(syncs=False)
    own = make_own(root, disk)
    own.append([b"first"])
    disk.room = 200
    errors = own.append([b"x" * 500, b"short", b"x" * 500, b"short too"])
    assert [error is None for error in errors] == [False, True, False, True]
    own.give_up()
    assert read_all(root) == [b"first", b"short", b"short too"]


def test_a_disk_that_fails_is_not_asked_for_each_record(root: Path) -> None:
    disk = FaultyDisk(syncs=False)
    own = make_own(root, disk)
    own.append([b"first"])
    disk.fail("fsync", errno.EIO, times=2)
    errors = own.append([b"record"] * 100)
    assert all(isinstance(error, SpoolError) for error in errors)
    assert disk.calls.count("fsync") == 2


def test_a_probe_says_whether_the_disk_takes_a_batch(root: Path) -> None:
    disk = FaultyDisk(syncs=False)
    own = make_own(root, disk)
    own.probe()
    disk.room = 10_000
    with pytest.raises(SpoolError, match="No space left"):
        own.probe()
    disk.heal()
    own.probe()
    assert sorted(path.name for path in (root / "mine").iterdir()) == ["lock"]


def test_a_live_spool_whose_lock_was_removed_is_not_drained_under_its_owner(root: Path) -> None:
    own = make_own(root)
    own.append([b"one"])
    remove_lock(root)
    [thief] = adopt(root).spools
    assert own.append([b"two"]) == [None]
    assert drain(thief) == [b"one"] or drain(thief) == [b"one", b"two"]
    thief.close()
    assert own.append([b"three"]) == [None]
    own.give_up()
    assert {b"two", b"three"} <= {*read_all(root)}


def test_a_spool_knows_whether_it_is_where_others_look(root: Path) -> None:
    spool = Spool.create(root, make_id=lambda: "mine")
    assert spool.is_in_place()
    move_away(root)
    assert not spool.is_in_place()
    spool.abandon()
    assert not spool.is_in_place()
