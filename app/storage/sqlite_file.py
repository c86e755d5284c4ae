"""The SQLite file and those beside it: whether others still find what this process has open."""

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

# `removed`: nothing stands at the path. `replaced`: another file does. `overwritten`: somebody else
# wrote to it. `journal`: a file beside it, which holds what was committed last, is not ours now.
Change = Literal["removed", "replaced", "overwritten", "journal"]

STEPS_BETWEEN_LOOKS = 10_000


class _Place(NamedTuple):
    device: int
    inode: int


class _Main(NamedTuple):
    place: _Place
    size: int
    modified_ns: int


# Differs from whatever there is.
_NOTHING = _Main(_Place(0, 0), 0, 0)


class SqliteFile:
    """Compares what stands at the paths with what stood there when it was opened.

    Between checkpoints nobody writes to the file itself in WAL mode, and all checkpoints are ours:
    `writing` is held meanwhile. Every look costs three `stat` calls.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wal = path.with_name(f"{path.name}-wal")
        self.shm = path.with_name(f"{path.name}-shm")
        self.writing = threading.Lock()
        self._main: _Main | None = None
        self._beside: tuple[_Place | None, _Place | None] = (None, None)
        self._stamp: int | None = None
        self._held: int | None = None
        self.was_noted = False

    def note(self) -> None:
        """What stands at the paths now has just been opened."""
        self.was_noted = True
        self._main = _look_at(self.path) or _NOTHING
        self._beside = (_find(self.wal), _find(self.shm))
        self._stamp = self._read_stamp()
        self._hold()

    def note_writing(self, stamp: int | None = None) -> None:
        """We have written to the file, or found that what was written to it goes with the rest.

        Where it bears neither the last stamp nor this one it is not ours, and will be told so.
        """
        main, found = _look_at(self.path), self._read_stamp()
        if main is None or self._main is None or main.place != self._main.place:
            return
        if found is not None and found in (stamp, self._stamp):
            self._main, self._stamp = main, found

    def forget(self) -> None:
        """Nothing is open."""
        self._main = None
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def find_change(self) -> Change | None:
        """What somebody else did to the files; None too where nothing is open."""
        if self._main is None:
            return None
        main = _look_at(self.path)
        if main is None:
            return "removed"
        if main.place != self._main.place:
            return "replaced"
        if main != self._main:
            return "overwritten"
        return None if self._beside == (_find(self.wal), _find(self.shm)) else "journal"

    def is_stamped(self) -> bool:
        """Whether what was overwritten bears the stamp of the last checkpoint, as after a write.

        What was committed since then goes with it: it holds every page that has changed.
        """
        return self._stamp is not None and self._read_stamp() == self._stamp

    def is_deleted(self) -> bool:
        """Whether the file that is open has no name left anywhere, as far as that can be told."""
        return self._held is not None and os.fstat(self._held).st_nlink == 0

    def part_from_journal(self) -> None:
        """Take what was committed to the file that stood here before from the one that does now.

        Whoever opens them together would mix the two. It is kept beside them.
        """
        wal, shm = self._beside
        if wal is not None and _find(self.wal) == wal:
            self.wal.rename(self._find_free(f"{self.wal.name}.of-replaced"))
        if shm is not None and _find(self.shm) == shm:
            self.shm.unlink()

    def empty_journal(self) -> None:
        """The same where the file was overwritten and stays open: closing it would mix the two."""
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(self.wal, self._find_free(f"{self.wal.name}.of-overwritten"))
            os.truncate(self.wal, 0)

    def find_rescue(self) -> Path:
        """Where a copy of what is open may be kept."""
        return self._find_free(f"{self.path.name}.rescued")

    def check(self, *, seconds: float, alone: bool = False) -> str | None:
        """The revision of its schema, if any.

        Raises sqlite3.Error or OSError where it is damaged or cannot be read, as far as so long
        can tell. `alone` looks
        at it without what was committed since the last checkpoint.
        """
        if self.path.stat().st_size == 0:
            # To open it would remove the journal beside it.
            return None
        how = "mode=ro&immutable=1" if alone else "mode=ro"
        url = f"file:{quote(str(self.path))}?{how}"
        deadline = time.monotonic() + seconds
        with closing(sqlite3.connect(url, uri=True, timeout=1)) as connection:
            connection.set_progress_handler(
                lambda: int(time.monotonic() > deadline), STEPS_BETWEEN_LOOKS
            )
            revision = _read_revision(connection)
            try:
                [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                found = "ok"
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(str(found).split()))
        return revision

    def _read_stamp(self) -> int | None:
        """What stands in the file itself, whatever was committed beside it."""
        url = f"file:{quote(str(self.path))}?mode=ro&immutable=1"
        try:
            with closing(sqlite3.connect(url, uri=True, timeout=1)) as connection:
                [(stamp,)] = connection.execute("PRAGMA user_version").fetchall()
        except sqlite3.Error:
            return None
        return int(stamp)

    def _hold(self) -> None:
        """Know it again after its name has gone. Closing such a descriptor drops no lock."""
        if self._held is not None:
            os.close(self._held)
        self._held = None
        if hasattr(os, "O_PATH"):
            with contextlib.suppress(OSError):
                self._held = os.open(self.path, os.O_PATH)

    def _find_free(self, name: str) -> Path:
        return next(path for path in self._list_names(name) if not path.exists())

    def _list_names(self, name: str) -> Iterator[Path]:
        yield self.path.with_name(name)
        for number in range(2, 1_000_000):
            yield self.path.with_name(f"{name}-{number}")


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
