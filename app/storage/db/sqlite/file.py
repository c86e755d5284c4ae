"""Whether the SQLite file and those beside it are still the ones that this process opened."""

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from app.storage.db.sqlite.engine import is_passing

# `removed`: nothing is at the path. `replaced`: another file is. `overwritten`: our file has the
# contents of another. `touched`: another program wrote to our file or emptied the journal, as a
# checkpoint does. `journal`: a file beside it, which holds the newest commits, is not ours.
# `emptied`: our journal has lost its contents.
Change = Literal["removed", "replaced", "overwritten", "touched", "journal", "emptied"]

# How every -wal file begins; the last bit is the byte order of its checksums.
WAL_MAGIC = 0x377F0682
WAL_HEAD_BYTES = 32
# Where PRAGMA user_version stands in the file.
FILE_MAGIC = b"SQLite format 3\0"
STAMP_AT, STAMP_BYTES = 60, 4

# How long a start checks for damage.
START_CHECK_SECONDS = 0.5


class _Place(NamedTuple):
    device: int
    inode: int


class _Main(NamedTuple):
    place: _Place
    size: int
    modified_ns: int


class _Journal(NamedTuple):
    size: int
    head: bytes


_NO_JOURNAL = _Journal(0, b"")
# Differs from every real file.
_NOTHING = _Main(_Place(0, 0), 0, 0)


class SqliteFile:
    """Compares the files at the paths with those that were opened.

    In WAL mode only checkpoints write to the file itself, and all of them are ours: `writing` is
    held meanwhile. A check costs three `stat` calls.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wal = path.with_name(f"{path.name}-wal")
        self.shm = path.with_name(f"{path.name}-shm")
        self.writing = threading.Lock()
        self._main: _Main | None = None
        self._beside: tuple[_Place | None, _Place | None] = (None, None)
        self._journal = _NO_JOURNAL
        # The stamp found in the file, then those of later checkpoints that may still reach it.
        self._stamps: list[int] = []
        self._held: int | None = None
        self.was_noted = False

    def note(self) -> None:
        """The files at the paths have just been opened."""
        self.was_noted = True
        self._main = _look_at(self.path) or _NOTHING
        self._beside = (_find(self.wal), _find(self.shm))
        self._journal = self._read_journal()
        self._hold()
        stamp = self._read_stamp()
        self._stamps = [] if stamp is None else [stamp]

    def note_writing(self, stamp: int | None = None) -> None:
        """We wrote to the file, or what another program wrote to it was fine.

        A file without any of our stamps is not ours: the next check says so.
        """
        if stamp is not None:
            self._stamps.append(stamp)
        main, found = _look_at(self.path), self._read_stamp()
        if main is None or self._main is None or main.place != self._main.place:
            return
        if found in self._stamps:
            self._main = main
            del self._stamps[: self._stamps.index(found)]

    def note_journal(self) -> None:
        """We emptied the journal."""
        self._journal = self._read_journal()

    def forget(self) -> None:
        """Nothing is open."""
        self._main = None
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def find_change(self) -> Change | None:
        """What another program did to the files; None if nothing, or if none are open."""
        if self._main is None:
            return None
        main = _look_at(self.path)
        if main is None:
            return "removed"
        if main.place != self._main.place:
            return "replaced"
        if main != self._main:
            return "touched" if self._is_stamped() else "overwritten"
        if self._beside != (_find(self.wal), _find(self.shm)):
            return "journal"
        return self._find_gap()

    def is_deleted(self) -> bool:
        """Whether the open file has been deleted, as far as can be told."""
        return self._held is not None and os.fstat(self._held).st_nlink == 0

    def part_from_journal(self) -> None:
        """Move the journal of the former file away from the file that has replaced it.

        Opening them together would mix the two. It is kept beside them.
        """
        wal, shm = self._beside
        if wal is not None and _find(self.wal) == wal:
            self.wal.rename(self._find_free(f"{self.wal.name}.of-replaced"))
        if shm is not None and _find(self.shm) == shm:
            self.shm.unlink()

    def empty_journal(self) -> None:
        """The same while the file stays open: closing it would mix the two.

        SQLite finds the journal shorter than expected, and writes nothing of it to the file.
        """
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(self.wal, self._find_free(f"{self.wal.name}.of-overwritten"))
            os.truncate(self.wal, 0)

    def find_rescue(self) -> Path:
        """Where a copy of what is open may be kept."""
        return self._find_free(f"{self.path.name}.rescued")

    def check(self, *, seconds: float, alone: bool = False) -> str | None:
        """The revision of its schema, if any.

        Raises sqlite3.Error or OSError if it is damaged or cannot be read, as far as a check of
        this length can tell. `alone` leaves out what was committed since the last checkpoint.
        """
        if self.path.stat().st_size == 0:
            # Opening it would remove the journal beside it.
            return None
        how = "mode=ro&immutable=1" if alone else "mode=ro"
        url = f"file:{quote(str(self.path))}?{how}"
        with closing(sqlite3.connect(url, uri=True, timeout=1)) as connection:
            revision = _read_revision(connection)
            # Not a progress handler: many releases of SQLite never call it within this statement,
            # which would read all of a file of gigabytes.
            timer = threading.Timer(seconds, connection.interrupt)
            timer.start()
            try:
                [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                found = "ok"
            finally:
                timer.cancel()
                timer.join()
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(str(found).split()))
        return revision

    def is_journal_empty(self) -> bool:
        """Whether it is empty, so that all commits must be in the file."""
        return self._read_journal().size == 0

    def _find_gap(self) -> Change | None:
        """A journal only grows, and starts again with another head after a checkpoint."""
        before, now = self._journal, self._read_journal()
        self._journal = now
        if now.size == 0:
            return "touched" if before.size else None
        if int.from_bytes(now.head[:4], "big") & ~1 != WAL_MAGIC:
            # It was emptied, then written to after the gap.
            return "emptied"
        return "emptied" if now.size < before.size and now.head == before.head else None

    def _read_journal(self) -> _Journal:
        try:
            with self.wal.open("rb") as file:
                return _Journal(os.fstat(file.fileno()).st_size, file.read(WAL_HEAD_BYTES))
        except OSError:
            return _NO_JOURNAL

    def _is_stamped(self) -> bool:
        """Whether the file has a stamp of ours.

        If so, later commits belong to it: the journal holds every page that has changed.
        """
        return self._read_stamp() in self._stamps

    def _read_stamp(self) -> int | None:
        """The stamp in the file itself, whatever the journal says.

        Not by SQLite, to which a file looks damaged in the middle of another program's checkpoint:
        its first page may be new while it has not grown yet.
        """
        if self._held is None:
            return None
        try:
            head = os.pread(self._held, STAMP_AT + STAMP_BYTES, 0)
        except OSError:
            return None
        return int.from_bytes(head[STAMP_AT:], "big") if head.startswith(FILE_MAGIC) else None

    def _hold(self) -> None:
        """Open it to read its stamp, and to recognise it after its name has gone.

        It stays open while SQLite has it open: closing would release SQLite's locks on it.
        """
        main = _look_at(self.path)
        if self._held is not None:
            found = os.fstat(self._held)
            if main is not None and main.place == _Place(found.st_dev, found.st_ino):
                return
            os.close(self._held)
        self._held = None
        with contextlib.suppress(OSError):
            self._held = os.open(self.path, os.O_RDONLY)

    def _find_free(self, name: str) -> Path:
        return next(path for path in self._list_names(name) if not path.exists())

    def _list_names(self, name: str) -> Iterator[Path]:
        yield self.path.with_name(name)
        for number in range(2, 1_000_000):
            yield self.path.with_name(f"{name}-{number}")


def find_damage(path: Path) -> str | None:
    """What is wrong with the file and what to do, as far as a short check can tell."""
    file = SqliteFile(path)
    if not path.exists():
        return None
    try:
        file.check(seconds=START_CHECK_SECONDS)
    except OSError:
        return None
    except sqlite3.Error as error:
        if is_passing(error):
            return None
        found = str(error)
    else:
        return None
    try:
        file.check(seconds=START_CHECK_SECONDS, alone=True)
    except sqlite3.Error:
        return f"is damaged ({found}): put a sound copy of it there, or name another one"
    return (
        f"does not go with {file.wal.name} beside it ({found}), which an earlier file"
        f" left: move {file.wal.name} and {file.shm.name} away and start again"
    )


def _look_at(path: Path) -> _Main | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Main(_Place(found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns)


def _find(path: Path) -> _Place | None:
    main = _look_at(path)
    return None if main is None else main.place


def _read_revision(connection: sqlite3.Connection) -> str | None:
    table = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if not connection.execute(table).fetchall():
        return None
    return next(iter(connection.execute("SELECT version_num FROM alembic_version")), [None])[0]
