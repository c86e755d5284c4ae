"""File operations that survive a power cut, and what goes wrong with them."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.domain.errors import Unavailable

NO_LOCKS = "its file system has no working locks; keep LETTERBOX_DATA_DIR on a local disk"
_ADVICE = "check the disk's space and health, and who owns the folder"
_LOCK_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_IOERR_LOCK,
        sqlite3.SQLITE_IOERR_RDLOCK,
        sqlite3.SQLITE_IOERR_UNLOCK,
    }
)


class SpoolError(Unavailable):
    """Nothing could be made durable, or read, now: the disk is full, broken or not ours."""


@contextmanager
def spool_errors(place: Path) -> Iterator[None]:
    """Turns errors of the system and of SQLite into SpoolError, which says what to look at."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        advice = NO_LOCKS if find_code(error) in _LOCK_CODES else _ADVICE
        raise SpoolError(f"The spool {place} failed ({reason or error}): {advice}.") from error


def find_code(error: BaseException | None) -> int:
    """SQLite's extended result code; 0 for any other error."""
    return int(getattr(error, "sqlite_errorcode", 0))


def write_file(path: Path, data: bytes) -> None:
    """The whole file under its name, durable, or no file under that name."""
    fd, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
        Path(name).rename(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
    finally:
        os.close(fd)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: fsync of a file keeps its bytes, not its name."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """The folder with its missing parents, mode 0700, its name durable even if another made it."""
    if not path.parent.is_dir():
        make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(0o700)
    sync_folder(path.parent)
