"""One segment of the spool: the form of its records on disk, writing it, and reading it back.

A record is a magic, its length, a checksum over length and payload, then the payload. The magic
lets a reader find the next record behind damage. The checksum is zlib's CRC-32 where the design
says CRC32C: no dependency brings CRC32C, in pure Python it costs more than the fsync, and CRC-32
finds the same damage (every burst of up to 32 bits, anything else but one time in 2**32).
"""

import errno
import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from app.storage.spool.durable import Files, is_at, sync_folder, write_all

# Several times what a forward of the largest size can become.
MAX_RECORD_BYTES = 4 * 1024 * 1024

# 0xF5 occurs in no UTF-8 text, so a payload of JSON never looks like the start of a record.
_MAGIC = b"\xf5LB1"
_LENGTH = struct.Struct("<I")
_HEADER_BYTES = len(_MAGIC) + 2 * _LENGTH.size
_BLOCK_BYTES = 4096


def encode_record(record: bytes) -> bytes:
    """The record as it stands in a segment; ValueError above `MAX_RECORD_BYTES`."""
    if len(record) > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {len(record)} bytes is over {MAX_RECORD_BYTES}")
    length = _LENGTH.pack(len(record))
    return b"".join((_MAGIC, length, _LENGTH.pack(_checksum(length, record)), record))


def find_record(data: bytes, offset: int) -> tuple[int, int, bytes] | None:
    """The first sound record at or behind `offset`: where it starts and stops, and its payload."""
    while offset >= 0:
        stop = _find_stop(data, offset)
        if stop is not None and stop <= len(data):
            record = data[offset + _HEADER_BYTES : stop]
            length, checksum = data[offset + 4 : offset + 8], data[offset + 8 : offset + 12]
            if _LENGTH.pack(_checksum(length, record)) == checksum:
                return offset, stop, record
        offset = data.find(_MAGIC, offset + 1)
    return None


def is_torn(data: bytes, offset: int) -> bool:
    """Whether what follows the last sound record is just a write that a crash cut short.

    That is one record that is incomplete or fails its checksum, or a part of its header, and behind
    it nothing but the zeros that a file system leaves where the size was written before the data.
    """
    stop = _find_stop(data, offset) or offset + _HEADER_BYTES
    return not data[stop:].strip(b"\0")


class Segment:
    """A file of records: `position` is where reading goes on, `end` where what counts ends.

    `records` are those between the two, `damaged` says that bytes before `end` were lost, `since`
    is about when the first record came (of a segment found on disk: when the last one did). Every
    method lets OSError through.
    """

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        self.position = 0
        self.end = 0
        self.size = 0
        self.records = 0
        self.damaged = False
        self.since: datetime | None = None
        self._files = files
        self._fd: int | None = None

    @classmethod
    def begin(cls, path: Path, files: Files) -> Self:
        """A new, empty file, open for appending."""
        segment = cls(path, files)
        segment._fd = files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        return segment

    @classmethod
    def inspect(cls, path: Path, files: Files, *, is_last: bool) -> Self:
        """A segment of a process that died: its sound records are counted.

        Only the last one may have a torn tail, which was never acknowledged; other gaps are damage.
        """
        segment = cls(path, files)
        status = path.stat()
        segment.size = status.st_size
        segment.since = datetime.fromtimestamp(status.st_mtime, UTC)
        data, whole = segment._load(0, segment.size)
        segment.damaged = not whole
        while (found := find_record(data, segment.end)) is not None:
            _, segment.end, _ = found
            segment.records += 1
        if segment.end < segment.size:
            segment.damaged |= not (is_last and is_torn(data, segment.end))
        return segment

    @property
    def is_open(self) -> bool:
        return self._fd is not None

    def append(self, records: Sequence[bytes], block: bytes) -> None:
        """Makes `block`, the encoded `records`, durable, or takes it back and raises OSError.

        After a failed fsync the kernel may have dropped the bytes and still call the next fsync a
        success, so this file is then closed for good. So it is where the bytes cannot be cut off.
        """
        if self._fd is None:
            raise ValueError(f"{self.path} is closed")
        try:
            write_all(self._files, self._fd, block, self.end)
        except OSError:
            self._cut_tail(self._fd)
            raise
        try:
            self._files.fsync(self._fd)
            if self.end == 0:
                sync_folder(self._files, self.path.parent)
                self.since = datetime.fromtimestamp(os.fstat(self._fd).st_mtime, UTC)
        except OSError:
            self._cut_tail(self._fd)
            self.close()
            raise
        self.end += len(block)
        self.size = self.end
        self.records += len(records)

    def read(self, max_records: int, max_bytes: int) -> tuple[list[bytes], int]:
        """Records from `position` on, at least one where one is left, and where they end."""
        data, _ = self._load(self.position, self.end)
        records: list[bytes] = []
        offset = size = 0
        while len(records) < max_records:
            found = find_record(data, offset)
            if found is None:
                self.damaged |= self.position + offset < self.end
                return records, self.end
            start, stop, record = found
            size += len(record)
            if records and size > max_bytes:
                break
            self.damaged |= start > offset
            records.append(record)
            offset = stop
        return records, self.position + offset

    def is_in_place(self) -> bool:
        """Whether what is being written still stands at its path."""
        return self._fd is None or is_at(self._fd, self.path)

    def close(self) -> None:
        """Ends the writing; from then on reading opens the file anew each time."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            # What counts was fsynced: an error here says nothing about it.
            with suppress(OSError):
                self._files.close(fd)

    def _cut_tail(self, fd: int) -> None:
        try:
            self._files.ftruncate(fd, self.end)
        except OSError:
            self.close()

    def _load(self, start: int, end: int) -> tuple[bytes, bool]:
        """The bytes of a stretch, and whether the disk gave all of them.

        A bad sector, or rot on a file system with checksums, is EIO at every attempt. Zeros stand
        in for such blocks, so that what is readable around them is delivered.
        """
        # The one that is being written can still be read where its name has gone.
        fd = self._files.open(self.path, os.O_RDONLY) if self._fd is None else self._fd
        try:
            return self._read_stretch(fd, start, end), True
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return self._read_blocks(fd, start, end), False
        finally:
            if fd != self._fd:
                self._files.close(fd)

    def _read_stretch(self, fd: int, start: int, end: int) -> bytes:
        parts = []
        while start < end and (part := self._files.pread(fd, end - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def _read_blocks(self, fd: int, start: int, end: int) -> bytes:
        parts = []
        while start < end:
            size = min(_BLOCK_BYTES - start % _BLOCK_BYTES, end - start)
            try:
                part = self._read_stretch(fd, start, start + size)
            except OSError:
                part = b""
            parts.append(part.ljust(size, b"\0"))
            start += size
        return b"".join(parts)


def _checksum(length: bytes, record: bytes) -> int:
    # With the length, for else a magic and zeros behind it would be a sound, empty record.
    return zlib.crc32(record, zlib.crc32(length))


def _find_stop(data: bytes, offset: int) -> int | None:
    """Where the record at `offset` says it stops; None where that is no header of ours."""
    payload = offset + _HEADER_BYTES
    if payload > len(data) or not data.startswith(_MAGIC, offset):
        return None
    (length,) = _LENGTH.unpack_from(data, offset + len(_MAGIC))
    return payload + length if length <= MAX_RECORD_BYTES else None
