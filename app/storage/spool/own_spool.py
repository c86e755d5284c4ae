"""This process's own spool, which is begun anew where its file has gone or is damaged."""

import errno
import itertools
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from app.storage.durable import SpoolError, find_code
from app.storage.spool.spool import Spool, SpoolBatch, SpoolMovedError

# What a disk without room says: fewer records may still fit.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TOO_MUCH = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG})
# As much as a large batch takes, so that a disk which is all but full is not called well.
_PROBE_BYTES = 256 * 1024


class OwnSpool:
    """Takes records in place of the database. Everything blocks and belongs to one thread.

    `moves` lists each file that was no longer at its path, with how many of the records that had
    been acknowledged could not be read any more; `damaged` is a spool's. Who reads them empties
    them.
    """

    def __init__(self, root: Path, process_id: str, *, mark: bytes | None = None) -> None:
        self._root = root
        # No name comes twice: a file that was moved away may come back.
        self._names = (f"{process_id}.{number}" for number in itertools.count(1))
        self.moves: list[tuple[Path, int]] = []
        self.damaged: list[Path] = []
        self._mark = mark
        self._spool: Spool | None = None

    @property
    def depth(self) -> int:
        """How many records wait in it."""
        return self._spool.depth if self._spool else 0

    @property
    def disk_bytes(self) -> int:
        """How much of the disk it takes."""
        return self._spool.disk_bytes if self._spool else 0

    def open(self) -> Spool:
        """Make its file where there is none. Raises SpoolError."""
        if self._spool is None:
            self._spool = self._create()
        return self._spool

    def append(self, records: Sequence[bytes]) -> list[Exception | None]:
        """Make the records durable at the spool's path; tells for each why it could not be.

        What is wrong with one of them, or does not fit, keeps no other from being taken.
        """
        try:
            self._append(records)
        except SpoolError as error:
            if len(records) == 1 or not _may_fit_in_part(error):
                return [error] * len(records)
            middle = len(records) // 2
            return self.append(records[:middle]) + self.append(records[middle:])
        return [None] * len(records)

    def read(self, *, max_records: int, max_bytes: int) -> SpoolBatch | None:
        """The oldest records. Raises SpoolError where the file is there and cannot be read."""
        if self._spool is None:
            return None
        try:
            return self._spool.read(max_records=max_records, max_bytes=max_bytes)
        except SpoolError:
            if self._spool.is_in_place():
                raise
            fresh = self._replace(self._spool, [])
            return fresh.read(max_records=max_records, max_bytes=max_bytes)

    def release(self, batch: SpoolBatch) -> None:
        """Let go of a batch that the database has committed; the last one takes the file along."""
        if self._spool is not None:
            self._spool.release(batch)
            if not self._spool.depth:
                self.give_up()

    def write_mark(self, mark: bytes) -> None:
        """Say in this file, and in those to come, whose messages these are. Raises SpoolError."""
        self._mark = mark
        if self._spool is not None and self._spool.is_sound():
            self._spool.write_mark(mark)

    def probe(self) -> None:
        """Raises SpoolError where an append would fail now."""
        spool = self.open()
        if not spool.is_sound():
            spool = self._replace(spool, [])
        spool.probe(_PROBE_BYTES)

    def give_up(self) -> None:
        """Leave what is in it on disk, to be adopted once it can be read; the next one is new."""
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()
            self.damaged += spool.damaged

    def _append(self, records: Sequence[bytes]) -> None:
        spool = self.open()
        try:
            spool.append(records)
        except SpoolMovedError:
            # It has the records of this append, too.
            self._replace(spool, [])
        except SpoolError as error:
            if find_code(error.__cause__) == sqlite3.SQLITE_IOERR_FSYNC:
                # The kernel may have dropped the bytes and call the next fsync a success.
                self.give_up()
                raise
            if spool.is_sound():
                raise
            self._replace(spool, records)

    def _replace(self, spool: Spool, records: Sequence[bytes]) -> Spool:
        """Begin a file at the path with all that can be read of the one that cannot go on."""
        held = spool.rescue()
        fresh = self._create()
        try:
            fresh.append([*held, *records])
        except SpoolError:
            fresh.close()
            raise
        if not spool.is_in_place():
            self.moves.append((spool.path, spool.depth - len(held)))
        spool.release_all()
        self.give_up()
        self._spool = fresh
        return fresh

    def _create(self) -> Spool:
        return Spool.create(self._root, self._names, mark=self._mark)


def _may_fit_in_part(error: SpoolError) -> bool:
    cause = error.__cause__
    if isinstance(cause, OSError):
        return cause.errno in _NO_ROOM
    return find_code(cause) & 0xFF in _TOO_MUCH
