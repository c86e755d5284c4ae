"""File operations that survive a power cut, and the lock that tells a folder's owner."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from app.domain.errors import Unavailable

_LOCK = "lock"
# The files in a spool's folder besides its messages.
MARK = "database"


class SpoolError(Unavailable):
    """Nothing could be made durable, or read, now: the disk is full, broken or not ours."""


class Files(Protocol):
    """What is asked of the operating system; the module `os` is one."""

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int: ...
    def close(self, fd: int) -> None: ...
    def pwrite(self, fd: int, data: memoryview, offset: int) -> int: ...
    def pread(self, fd: int, length: int, offset: int) -> bytes: ...
    def fsync(self, fd: int) -> None: ...
    def ftruncate(self, fd: int, length: int) -> None: ...
    def unlink(self, path: Path) -> None: ...
    def rename(self, src: Path, dst: Path) -> None: ...
    def mkdir(self, path: Path, mode: int = 0o777) -> None: ...
    def rmdir(self, path: Path) -> None: ...


@contextmanager
def spool_errors(place: Path) -> Iterator[None]:
    """Turns the system's errors into SpoolError, whose text names the place and what to look at."""
    try:
        yield
    except OSError as error:
        raise SpoolError(
            f"The spool {place} failed ({error.strerror or error}): "
            "check the disk's space and health, and who owns the folder."
        ) from error


def write_all(files: Files, fd: int, data: bytes, offset: int) -> None:
    """Writes every byte, though the system may take fewer in one call."""
    rest = memoryview(data)
    while rest:
        written = files.pwrite(fd, rest, offset)
        if written <= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest, offset = rest[written:], offset + written


def write_file(files: Files, path: Path, data: bytes) -> None:
    """The whole file under its name, durable, or no file under that name."""
    fd, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        write_all(files, fd, data, 0)
        files.fsync(fd)
        files.rename(Path(name), path)
    except OSError:
        with suppress(OSError):
            files.unlink(Path(name))
        raise
    finally:
        files.close(fd)
    sync_folder(files, path.parent)


def sync_folder(files: Files, folder: Path) -> None:
    """Makes the names in a folder durable: fsync of a file keeps its bytes, not its name."""
    fd = files.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.fsync(fd)
    finally:
        files.close(fd)


def make_folder(files: Files, path: Path) -> None:
    """The folder with its missing parents, mode 0700, its name durable even if another made it."""
    if not path.parent.is_dir():
        make_folder(files, path.parent)
    with suppress(FileExistsError):
        files.mkdir(path, 0o700)
    sync_folder(files, path.parent)


def claim_new_folder(files: Files, folder: Path) -> int | None:
    """Makes a folder and holds its lock; None where the name is taken.

    It gets its name once it is locked, else whoever adopts folders could take it before its maker.
    """
    unnamed = folder.with_name(f".{folder.name}")
    try:
        files.mkdir(unnamed, 0o700)
    except FileExistsError:
        return None
    try:
        lock = take_lock(files, unnamed)
    except OSError:
        with suppress(OSError):
            files.rmdir(unnamed)
        raise
    if lock is None:
        return None
    try:
        files.rename(unnamed, folder)
    except OSError as error:
        drop_folder(files, unnamed, lock)
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return None
        raise
    return lock


def take_lock(files: Files, folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None where somebody holds it or the folder went.

    Between open and flock the last holder may remove the file: only the lock on the file that still
    stands at the path counts.
    """
    path = folder / _LOCK
    try:
        fd = files.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_at(fd, path):
            return fd
    except BlockingIOError:
        pass
    except OSError:
        files.close(fd)
        raise
    files.close(fd)
    return None


def holds_lock(folder: Path, lock: int) -> bool:
    """Whether a descriptor with the folder's lock still keeps others out."""
    return is_at(lock, folder / _LOCK)


def is_at(fd: int, path: Path) -> bool:
    """Whether the open file is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def drop_folder(files: Files, folder: Path, lock: int) -> None:
    """Lets go of the lock, and of the folder where nothing else is in it."""
    # Whoever makes the lock anew between the two steps makes rmdir fail, and owns the folder.
    with suppress(OSError):
        names = {path.name for path in folder.iterdir()}
        if names <= {_LOCK, MARK}:
            for name in sorted(names):
                files.unlink(folder / name)
            files.rmdir(folder)
    files.close(lock)
