"""A disk that fails on demand: the operating system's calls with faults put between."""

import errno
import os
import stat
from collections import defaultdict
from pathlib import Path


class Crash(BaseException):
    """The process ends here: nothing may catch it and go on."""


class FaultyDisk:
    """`app.storage.spool.durable.Files` over real files; without faults it is `os`.

    `room` is how many bytes the disk still takes and `most_at_once` how many one call takes (None:
    all), `crash_after` how many bytes the next write takes before the process ends, `bad_block` a
    stretch that cannot be read. `calls` lists what was done, fsync of a folder as "fsync-folder".
    Without `syncs` fsync does nothing.
    """

    def __init__(self, *, syncs: bool = True) -> None:
        self.room: int | None = None
        self.most_at_once: int | None = None
        self.crash_after: int | None = None
        self.bad_block = range(0)
        self.calls: list[str] = []
        self._syncs = syncs
        self._faults: defaultdict[str, list[int]] = defaultdict(list)
        self._open_fds: set[int] = set()

    def fail(self, call: str, error_number: int, *, times: int = 1, after: int = 0) -> None:
        """Lets calls of that name fail, once `after` of them went well."""
        self._faults[call] += [0] * after + [error_number] * times

    def heal(self) -> None:
        self.room = self.crash_after = None
        self._faults.clear()

    def die(self) -> None:
        """What the kernel does when a process ends: every descriptor is closed, locks with it."""
        self.heal()
        for fd in self._open_fds:
            os.close(fd)
        self._open_fds.clear()

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        self._note("open")
        fd = os.open(path, flags, mode)
        self._open_fds.add(fd)
        return fd

    def close(self, fd: int) -> None:
        self._open_fds.discard(fd)
        os.close(fd)

    def pwrite(self, fd: int, data: memoryview, offset: int) -> int:
        self._note("pwrite")
        if self.crash_after is not None:
            os.pwrite(fd, data[: self.crash_after], offset)
            raise Crash
        data = data[: self.most_at_once]
        if self.room is None:
            return os.pwrite(fd, data, offset)
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.pwrite(fd, data[: self.room], offset)
        self.room -= written
        return written

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        self._note("pread")
        if set(self.bad_block) & set(range(offset, offset + length)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pread(fd, length, offset)

    def fsync(self, fd: int) -> None:
        self._note("fsync-folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "fsync")
        if self._syncs:
            os.fsync(fd)

    def ftruncate(self, fd: int, length: int) -> None:
        self._note("ftruncate")
        if self.room is not None:
            self.room += max(0, os.fstat(fd).st_size - length)
        os.ftruncate(fd, length)

    def unlink(self, path: Path) -> None:
        self._note("unlink")
        path.unlink()

    def rename(self, src: Path, dst: Path) -> None:
        self._note("rename")
        src.rename(dst)

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        self._note("mkdir")
        path.mkdir(mode)

    def rmdir(self, path: Path) -> None:
        self._note("rmdir")
        path.rmdir()

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self._faults[call] and (error_number := self._faults[call].pop(0)):
            raise OSError(error_number, os.strerror(error_number))
