"""This process's own spool, which is made anew wherever its folder has gone."""

import errno
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from app.storage.spool.durable import Files, spool_errors, write_file
from app.storage.spool.spool import Spool, SpoolBatch, SpoolError, SpoolMovedError

# What a disk without room says: fewer records may still fit.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PROBE = ".probe"
# As much as a large batch takes, so that a disk which is all but full is not called well.
_PROBE_BYTES = 256 * 1024


class OwnSpool:
    """Takes records in place of the database. Everything blocks and belongs to one thread.

    `moves` lists each folder that was no longer at its path, with how many of the records that had
    been acknowledged could not be read any more; `damaged` is a spool's. Who reads them empties
    them.
    """

    def __init__(
        self,
        root: Path,
        *,
        make_id: Callable[[], str],
        mark: bytes | None = None,
        files: Files = os,
    ) -> None:
        self._root = root
        self._make_id = make_id
        self.moves: list[tuple[Path, int]] = []
        self.damaged: list[Path] = []
        self._mark = mark
        self._files = files
        self._spool: Spool | None = None

    @property
    def depth(self) -> int:
        """How many records wait in it."""
        return self._spool.depth if self._spool else 0

    def open(self) -> Spool:
        """Make its folder where there is none. Raises SpoolError."""
        if self._spool is None:
            self._spool = self._create()
        return self._spool

    def append(self, records: Sequence[bytes]) -> list[Exception | None]:
        """Make the records durable at the spool's path; tells for each why it could not be.

        What is wrong with one of them, or does not fit, keeps no other from being taken.
        """
        try:
            self._append(records)
        except (SpoolError, ValueError) as error:
            if len(records) == 1 or not _may_fit_in_part(error):
                return [error] * len(records)
            middle = len(records) // 2
            return self.append(records[:middle]) + self.append(records[middle:])
        return [None] * len(records)

    def read(self, *, max_records: int, max_bytes: int) -> SpoolBatch | None:
        """The oldest records. Raises SpoolError where the folder is there and cannot be read."""
        if self._spool is None:
            return None
        try:
            return self._spool.read(max_records=max_records, max_bytes=max_bytes)
        except SpoolError:
            if self._spool.is_in_place():
                raise
            return self._move(self._spool, []).read(max_records=max_records, max_bytes=max_bytes)

    def release(self, batch: SpoolBatch) -> None:
        """Let go of a batch that the database has committed."""
        if self._spool is not None:
            self._spool.release(batch)
            self.damaged, self._spool.damaged = [*self.damaged, *self._spool.damaged], []

    def write_mark(self, mark: bytes) -> None:
        """Say in this folder, and in those to come, whose messages these are. Raises SpoolError."""
        self._mark = mark
        if self._spool is not None and self._spool.is_in_place():
            self._spool.write_mark(mark)

    def probe(self) -> None:
        """Raises SpoolError where an append would fail now."""
        spool = self.open()
        if not spool.is_in_place():
            spool = self._move(spool, [])
        path = spool.folder / _PROBE
        with spool_errors(spool.folder):
            write_file(self._files, path, b"\0" * _PROBE_BYTES)
            self._files.unlink(path)

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
            # It has read the records of this append, too.
            self._move(spool, [])
        except SpoolError:
            if spool.is_in_place():
                raise
            self._move(spool, records)

    def _move(self, spool: Spool, records: Sequence[bytes]) -> Spool:
        """Begin a spool at the path with all that the one which has gone from there still holds."""
        held = spool.rescue()
        fresh = self._create()
        try:
            fresh.append([*held, *records])
        except SpoolError:
            fresh.close()
            raise
        self._spool = fresh
        spool.abandon()
        self.moves.append((spool.folder, max(0, spool.depth - len(held))))
        return fresh

    def _create(self) -> Spool:
        """Under a name of its own: what was moved away may come back beside it."""
        name = self._make_id()
        names = itertools.chain([name], (f"{name}-{count}" for count in itertools.count(2)))
        return Spool.create(
            self._root, make_id=lambda: next(names), mark=self._mark, files=self._files
        )


def _may_fit_in_part(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(error, ValueError) or (isinstance(cause, OSError) and cause.errno in _NO_ROOM)
