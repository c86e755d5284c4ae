"""The spool: where acknowledged messages wait on disk while the database is away.

    root/<process>.<n>.sqlite3       records; SQLite's lock on it says that the process lives
    root/<process>.<n>.sqlite3-wal   SQLite's journal of it
    root/damaged/                    files that lost records, kept for a person
    root/refused/                    records that the database can never store, a file each

Records are opaque bytes. Everything blocks and belongs to one thread; other threads may only look
at `depth` and `disk_bytes`. Delivery is at least once: the rows' key makes a second one harmless.
A process must open its spool's file in no other way: closing that would end SQLite's lock.
"""

import itertools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.storage.durable import (
    NO_LOCKS,
    SpoolError,
    find_code,
    make_folder,
    spool_errors,
    sync_folder,
    write_file,
)
from app.storage.spool.quarantine import set_aside
from app.storage.spool.record_file import (
    SUFFIX,
    State,
    append_records,
    delete_records,
    find_wal,
    is_damage,
    lock_file,
    make_tables,
    scan_records,
    write_mark,
)

_PROBE = ".probe"
_CREATE_ATTEMPTS = 10


class SpoolMovedError(SpoolError):
    """The spool's file was removed, moved, replaced or cut short, or is hidden by a mount."""


@dataclass(frozen=True, slots=True)
class SpoolBatch:
    """Records in the order in which they were appended; the rest is for `Spool.release`."""

    records: tuple[bytes, ...]
    start: int
    end: int


class Spool:
    """One file, held by this process.

    `is_damaged` says that records were lost; such a file is only read. `damaged` lists what was
    moved to root/damaged/: look at it after `close`, for each entry wants an alert.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, state: State) -> None:
        """For `create` and `adopt` alone: `connection` holds the file's lock."""
        self.id = path.name.removesuffix(SUFFIX)
        self.process_id = self.id.partition(".")[0]
        self.path = path
        self.mark = state.mark
        self.begun_at = state.begun_at
        self.is_damaged = not state.is_sound
        self.damaged: list[Path] = []
        self._connection: sqlite3.Connection | None = connection
        self._appended = state.appended
        self._released = state.released
        self._seen = {path: path.stat()}

    @classmethod
    def create(cls, root: Path, names: Iterator[str], *, mark: bytes | None = None) -> "Spool":
        """A new, empty file in `root`, which is made where it is missing; modes 0600 and 0700.

        `names` gives one that nobody has used before, or several. `mark` says to `adopt` whose it
        is. SpoolError where the disk does not take it; nothing stays behind then, and the caller
        tries again later.
        """
        with spool_errors(root):
            make_folder(root)
            for name in itertools.islice(names, _CREATE_ATTEMPTS):
                path = root / f"{name}{SUFFIX}"
                with suppress(FileExistsError):
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                    return cls._begin(path, mark)
        raise SpoolError(f"The spool {root} found no free name for a file; try again.")

    @classmethod
    def _begin(cls, path: Path, mark: bytes | None) -> "Spool":
        connection = None
        try:
            connection = lock_file(path)
            if connection is None:
                # Nobody else takes an empty file.
                raise SpoolError(f"The spool {path} cannot be locked: {NO_LOCKS}.")
            spool = cls(path, connection, make_tables(connection, mark))
            spool._see(find_wal(path))
            sync_folder(path.parent)
        except (OSError, sqlite3.Error, SpoolError):
            with suppress(OSError):
                _remove(path)
            if connection is not None:
                connection.close()
            raise
        return spool

    @property
    def depth(self) -> int:
        """How many records were appended and not released."""
        return self._appended - self._released

    @property
    def disk_bytes(self) -> int:
        """The size of its files when they were last looked at."""
        return sum(status.st_size for status in self._seen.values())

    def append(self, records: Sequence[bytes]) -> None:
        """Makes all of `records` durable before it returns, or none of them and raises SpoolError.

        SpoolMovedError where they are durable, but not where others look for them. `is_sound` says
        whether another attempt is worth it.
        """
        if not records:
            return
        if not self.is_sound():
            raise SpoolError(f"The spool {self.path} is damaged, or not at its path any more.")
        try:
            with self._errors() as connection:
                append_records(connection, self._appended + 1, records)
        except SpoolError as error:
            if find_code(error.__cause__) == sqlite3.SQLITE_IOERR_WRITE:
                # It may be a quota: SQLite keeps the system's reason to itself.
                self.probe(sum(map(len, records)))
            raise
        self._appended += len(records)
        if not self.is_in_place():
            raise SpoolMovedError(f"The spool {self.path} is not at its path any more.")

    def write_mark(self, mark: bytes) -> None:
        """Say anew whose messages these are. Raises SpoolError."""
        with self._errors() as connection:
            write_mark(connection, mark)
        self.mark = mark

    def probe(self, size: int) -> None:
        """Raises SpoolError where the disk does not take so many bytes."""
        with spool_errors(self.path.parent):
            path = self.path.with_name(_PROBE)
            write_file(path, b"\0" * size)
            # Another process may have done it.
            path.unlink(missing_ok=True)

    def is_sound(self) -> bool:
        """Whether it can be appended to."""
        return not self.is_damaged and self.is_in_place()

    def is_in_place(self) -> bool:
        """Whether its files stand where others look, and nobody has cut them short."""
        try:
            return self._connection is not None and all(map(self._see, self._seen))
        except OSError:
            return False

    def rescue(self) -> list[bytes]:
        """All records that were appended and not released, as far as they can be read."""
        found: list[bytes] = []
        with suppress(SpoolError), self._errors() as connection:
            for _, record in scan_records(connection, self._released + 1, self._appended):
                found.append(record)
        return found

    def read(self, *, max_records: int, max_bytes: int) -> SpoolBatch | None:
        """The oldest records that are not released, None when there are none.

        A batch holds at most `max_bytes`, except that a larger record comes alone. Until `release`
        the same records come again.
        """
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        while self.depth:
            batch = self._read_batch(max_records, max_bytes)
            if batch.records:
                return batch
            self._released = batch.end
        return None

    def release(self, batch: SpoolBatch) -> None:
        """Lets go of a batch that the database has committed.

        Never fails for the disk: what cannot be deleted is deleted with a later batch, or delivered
        once more. ValueError for any batch but the one that `read` gives now.
        """
        if batch.start != self._released or batch.end > self._appended:
            raise ValueError("only the batch that was read last can be released, once")
        self._released = batch.end
        # The last ones go with the file.
        if self.depth and not self.is_damaged:
            with suppress(SpoolError), self._errors() as connection:
                delete_records(connection, self._released)

    def release_all(self) -> None:
        """Lets go of everything: it is in another spool."""
        self._released = self._appended

    def close(self) -> None:
        """Gives the file up: an empty one is removed, or kept for a person where records were lost.

        Any other is there to be adopted, and whatever else stands at its path is left alone.
        """
        if self._connection is None:
            return
        if not self.depth and self.is_in_place():
            with suppress(OSError):
                if self.is_damaged:
                    self.damaged.append(set_aside(self.path, self.path.parent, self.path.name))
                else:
                    _remove(self.path)
        self._connection.close()
        self._connection = None

    def _read_batch(self, max_records: int, max_bytes: int) -> SpoolBatch:
        """The next ids, without records where all of them were lost."""
        records: list[bytes] = []
        size, end = 0, self._released
        last = min(end + max_records, self._appended)
        with self._errors() as connection:
            for id_, record in scan_records(connection, end + 1, last):
                size += len(record)
                if records and size > max_bytes:
                    last = id_ - 1
                    break
                self.is_damaged |= id_ > end + 1
                records.append(record)
                end = id_
        self.is_damaged |= last > end
        return SpoolBatch(tuple(records), self._released, last)

    @contextmanager
    def _errors(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise ValueError(f"the spool {self.id} is closed")
        with spool_errors(self.path):
            try:
                yield self._connection
            except sqlite3.Error as error:
                self.is_damaged |= is_damage(error)
                raise

    def _see(self, path: Path) -> bool:
        """Whether it is the same file as before, and no smaller."""
        now = path.stat()
        before = self._seen.setdefault(path, now)
        is_same = os.path.samestat(before, now) and before.st_size <= now.st_size
        if is_same:
            self._seen[path] = now
        return is_same


def _remove(path: Path) -> None:
    for suffix in ("-journal", "-wal", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    # A name that comes back after a power cut is only a second delivery.
    with suppress(OSError):
        sync_folder(path.parent)
