"""A backup file: whole or refused, whatever happened to it."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.errors import SetupError
from app.storage.operations.backups import MANIFEST, unpack_backup, write_backup

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
FILES = {
    "database.sqlite3": b"rows" * 5_000,
    "secrets/api_key": b"a secret\n",
    "spool/0a.1.sqlite3": b"records",
    "spool/refused/0123": b"why\nraw",
}


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    folder = tmp_path / "folder"
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    target = io.BytesIO()
    write_backup(target, folder, version="1.0.0", revision="0013", database="sqlite", taken_at=NOW)
    return target.getvalue()


def test_what_was_packed_is_unpacked(packed: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    manifest = unpack_backup(io.BytesIO(packed), folder)
    assert (manifest.revision, manifest.taken_at) == ("0013", NOW)
    found = {str(each.relative_to(folder)): each for each in folder.rglob("*") if each.is_file()}
    assert {name: each.read_bytes() for name, each in found.items()} == FILES
    assert {each.stat().st_mode & 0o777 for each in found.values()} == {0o600}


def _repack(packed: bytes, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> bytes:
    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(packed)) as old,
        tarfile.open(fileobj=target, mode="w:gz") as new,
    ):
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            kept = change(member.name, file.read())
            if kept is not None:
                info = tarfile.TarInfo(kept[0])
                info.size = len(kept[1])
                new.addfile(info, io.BytesIO(kept[1]))
    return target.getvalue()


def _change_byte(packed: bytes) -> bytes:
    return _repack(packed, lambda name, data: (name, data.replace(b"rows", b"cows", 1)))


def _leave_out(packed: bytes) -> bytes:
    return _repack(packed, lambda name, data: None if name == "secrets/api_key" else (name, data))


def _lose_manifest(packed: bytes) -> bytes:
    return _repack(packed, lambda name, data: None if name == MANIFEST else (name, data))


def _climb(packed: bytes) -> bytes:
    return _repack(packed, lambda name, data: (name.replace("secrets/", "secrets/../../"), data))


def _come_later(packed: bytes) -> bytes:
    def change(name: str, data: bytes) -> tuple[str, bytes]:
        return name, data.replace(b'"format": 1', b'"format": 2')

    return _repack(packed, change)


def _garble_manifest(packed: bytes) -> bytes:
    def change(name: str, data: bytes) -> tuple[str, bytes]:
        return name, json.dumps({"format": 1}).encode() if name == MANIFEST else data

    return _repack(packed, change)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_change_byte, "database.sqlite3 is not what was backed up"),
        (_leave_out, "secrets/api_key is not what was backed up"),
        (_lose_manifest, "not whole"),
        (_climb, "no backup of Letterbox"),
        (_come_later, "newer release"),
        (_garble_manifest, "manifest cannot be read"),
        (lambda packed: packed[: len(packed) // 2], "damaged"),
        (lambda packed: packed[:-4], "damaged"),
        (lambda packed: packed[:40] + b"\xff\xff" + packed[42:], "damaged"),
        (lambda _: b"", "no backup of Letterbox"),
        (lambda _: b"a text file", "no backup of Letterbox"),
        (lambda _: gzip.compress(b"something else"), "no backup of Letterbox"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    packed: bytes, tmp_path: Path, harm: Callable[[bytes], bytes], said: str
) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with pytest.raises(SetupError, match=said):
        unpack_backup(io.BytesIO(harm(packed)), folder)
