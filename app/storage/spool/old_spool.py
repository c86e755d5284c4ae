"""Moves the spools of earlier releases, a folder of segments each, into SQLite files.

    root/<id>/lock                 held by flock as long as its process lives
    root/<id>/database             whose messages these are, where somebody has said so
    root/<id>/0000000001.segment   records in order; names sort as they were written

A record is a magic, its length, a CRC-32 over length and payload, then the payload.
"""

import fcntl
import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.storage.spool.quarantine import set_aside
from app.storage.spool.spool import Spool

_SUFFIX = ".segment"
_MAGIC = b"\xf5LB1"
_HEADER = struct.Struct("<4sII")
_UNIX_EPOCH_DAY = 2440587.5


@contextmanager
def held_segments(folder: Path) -> Iterator[list[Path] | None]:
    """The segments, held until the end; None where their process lives, or it is no spool."""
    if not any(path.name == "lock" or path.suffix == _SUFFIX for path in folder.iterdir()):
        yield None
        return
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        segments = None
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segments = sorted(folder.glob(f"*{_SUFFIX}"))
        yield segments
    finally:
        os.close(lock)


def read_mark(folder: Path) -> bytes | None:
    """What says whose the records are."""
    with suppress(FileNotFoundError):
        return (folder / "database").read_bytes()
    return None


def convert(folder: Path, segments: list[Path], mark: bytes | None) -> Spool:
    """A spool with the records of the segments, in place of the folder; damaged ones are kept."""
    names = (f"{folder.name.partition('-')[0]}.{number}" for number in itertools.count(1))
    spool = Spool.create(folder.parent, names, mark=mark)
    if segments:
        spool.begun_at = segments[0].stat().st_mtime / 86400 + _UNIX_EPOCH_DAY
    try:
        for path in segments:
            records, is_sound = _load(path, is_last=path == segments[-1])
            spool.append(records)
            if is_sound:
                path.unlink()
            else:
                kept = set_aside(path, folder.parent, f"{folder.name}-{path.name}")
                spool.damaged.append(kept)
    except BaseException:
        spool.close()
        raise
    with suppress(OSError):
        for name in ("database", "lock"):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
    return spool


def _load(path: Path, *, is_last: bool) -> tuple[list[bytes], bool]:
    """The sound records, and whether they are all."""
    data = path.read_bytes()
    records: list[bytes] = []
    is_sound, end, start = True, 0, 0
    while start >= 0:
        stop = _find_stop(data, start)
        if _is_record(data[start:stop]):
            records.append(data[start + _HEADER.size : stop])
            is_sound &= start == end
            start = end = stop
        else:
            start = data.find(_MAGIC, start + 1)
    # A crash cuts the last record of the last segment short, or leaves zeros in place of its end.
    is_torn = is_last and not data[_find_stop(data, end) :].strip(b"\0")
    return records, is_sound and (end == len(data) or is_torn)


def _find_stop(data: bytes, start: int) -> int:
    """Where the record at `start` says that it ends; behind a header where there is none."""
    stop = start + _HEADER.size
    if stop > len(data) or not data.startswith(_MAGIC, start):
        return stop
    length: int = _HEADER.unpack_from(data, start)[1]
    return stop + length


def _is_record(data: bytes) -> bool:
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        return False
    _, length, checksum = _HEADER.unpack_from(data)
    record = data[_HEADER.size :]
    # With the length: otherwise a magic and zeros behind it would be a sound, empty record.
    return (len(record), zlib.crc32(record, zlib.crc32(data[4:8]))) == (length, checksum)
