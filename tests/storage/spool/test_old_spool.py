"""Spools of earlier releases are drained, with the bytes that those have written."""

import fcntl
import os
from pathlib import Path

import pytest

from app.storage.spool.adoption import adopt, count_waiting
from tests.support.storage.spools import drain, drain_all, write_dead_spool

# Magic, length, CRC-32, payload.
ONE = bytes.fromhex("f54c423103000000009aa9296f6e65")
TWO = bytes.fromhex("f54c42310300000097960f4274776f")
THREE = bytes.fromhex("f54c423105000000097e792c7468726565")
EMPTY = bytes.fromhex("f54c4231000000001cdf4421")


def write_old(root: Path, *segments: bytes, name: str = "dead") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    for number, content in enumerate(segments, 1):
        (folder / f"{number:010d}.segment").write_bytes(content)
    return folder


def test_records_come_in_order_and_the_folder_goes(root: Path) -> None:
    folder = write_old(root, ONE + EMPTY + TWO, THREE)
    (folder / "database").write_bytes(b"ours")
    adoption = adopt(root, is_ours=lambda mark: mark == b"ours")
    [spool] = adoption.spools
    assert (spool.process_id, spool.mark, spool.depth) == ("dead", b"ours", 4)
    assert drain(spool) == [b"one", b"", b"two", b"three"]
    spool.close()
    assert (adoption.failures, adoption.damaged) == ([], [])
    assert list(root.iterdir()) == []


def test_they_come_before_the_spools_of_this_release(root: Path) -> None:
    write_old(root, TWO, name="second")
    for path in root.glob("second/*"):
        os.utime(path, (1_700_000_001, 1_700_000_001))
    write_dead_spool(root, [b"new"], name="aaa.1")
    os.utime(write_old(root, ONE, name="zzz-2") / "0000000001.segment", (1_700_000_000,) * 2)
    found = adopt(root).spools
    assert [spool.process_id for spool in found] == ["zzz", "second", "aaa"]
    assert [record for spool in found for record in drain(spool)] == [b"one", b"two", b"new"]


def test_a_folder_whose_process_lives_is_left_alone(root: Path) -> None:
    folder = write_old(root, ONE)
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert adopt(root).spools == []
        assert count_waiting(root) == 0
    assert drain_all(root) == [b"one"]


def test_one_of_another_database_is_left_alone(root: Path) -> None:
    folder = write_old(root, ONE)
    (folder / "database").write_bytes(b"theirs")
    adoption = adopt(root, is_ours=lambda mark: mark == b"ours")
    assert (adoption.spools, adoption.foreign) == ([], [(folder, b"theirs")])
    assert len(list(folder.iterdir())) == 3


def test_a_folder_without_records_is_removed(root: Path) -> None:
    write_old(root)
    assert drain_all(root) == []
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("cut", range(1, len(THREE)))
def test_a_torn_tail_is_skipped_wherever_it_was_cut(root: Path, cut: int) -> None:
    write_old(root, ONE, TWO + THREE[:cut])
    write_old(root, TWO + THREE[:cut].ljust(5000, b"\0"), name="zeros")
    assert sorted(drain_all(root)) == [b"one", b"two", b"two"]
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("offset", range(len(TWO)))
def test_damage_costs_one_record_and_the_segment_is_kept(root: Path, offset: int) -> None:
    content = bytearray(ONE + TWO + THREE)
    content[len(ONE) + offset] ^= 0x40
    write_old(root, bytes(content), ONE)
    [spool] = adopt(root).spools
    assert drain(spool) == [b"one", b"three", b"one"]
    assert spool.damaged == [root / "damaged" / "dead-0000000001.segment"]
    assert spool.damaged[0].read_bytes() == content
    spool.close()
    assert [path.name for path in root.iterdir()] == ["damaged"]


@pytest.mark.parametrize(
    "garbage",
    [b"no record at all", ONE[:4] + b"\xff\xff\xff\x7f" + b"....", TWO[:-1] + b"?" + ONE[:-1]],
    ids=["no-magic", "garbage-length", "more-behind-a-bad-record"],
)
def test_a_tail_that_no_crash_explains_is_damage(root: Path, garbage: bytes) -> None:
    write_old(root, ONE + garbage, name="last")
    write_old(root, ONE + TWO[:-1], THREE, name="not-last")
    found = adopt(root).spools
    assert sorted(record for spool in found for record in drain(spool)) == [
        b"one",
        b"one",
        b"three",
    ]
    if b"\x7f" not in garbage:
        assert all(spool.damaged for spool in found)


def test_a_conversion_that_was_interrupted_delivers_nothing_less(root: Path) -> None:
    folder = write_old(root, ONE, TWO)
    (folder / "0000000002.segment").chmod(0)
    (folder / "0000000002.segment").rename(folder / "kept")
    (folder / "0000000002.segment").mkdir()
    adoption = adopt(root)
    assert len(adoption.failures) == 1
    (folder / "0000000002.segment").rmdir()
    (folder / "kept").rename(folder / "0000000002.segment")
    assert sorted(drain_all(root)) == [b"one", b"two"]
    assert list(root.iterdir()) == []
