"""A disk that fails on demand: system calls of `os` and of SQLite, with faults put between."""

import _sqlite3
import ctypes
import errno
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path  # noqa: TC003 ruff takes the class for one that is only declared
from typing import Any
from unittest import mock

_SET_CALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_GET_CALL = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)


class _Vfs(ctypes.Structure):
    """`struct sqlite3_vfs`, which lets tests stand between SQLite and the system."""

    _fields_ = (
        ("head", ctypes.c_int * 3),
        ("names", ctypes.c_void_p * 3),
        ("methods", ctypes.c_void_p * 13),
        ("set_call", _SET_CALL),
        ("get_call", _GET_CALL),
    )


def _declare(*types: Any) -> Any:
    return ctypes.CFUNCTYPE(*types, use_errno=True)


_WRITE = _declare(ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)
_SQLITE_CALLS = {
    "open": _declare(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
    "pread64": _WRITE,
    "pwrite64": _WRITE,
    "unlink": _declare(ctypes.c_int, ctypes.c_char_p),
    "fcntl": _declare(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p),
}


class FaultyDisk:
    """While installed, calls by the names of `os` and, as "sqlite-open", those of SQLite can fail.

    `room` is by how many bytes files may still grow (None: any), `bad_block` a stretch of
    `bad_file` that cannot be read. `calls` lists what was done, fsync of a folder as
    "fsync-folder".
    """

    def __init__(self) -> None:
        self.room: int | None = None
        self.bad_file: Path | None = None
        self.bad_block = range(0)
        self.before: Callable[[str], object] = lambda _: None
        self.calls: list[str] = []
        self._faults: defaultdict[str, list[int]] = defaultdict(list)

    def fail(self, call: str, error_number: int, *, times: int = 1, after: int = 0) -> None:
        """Lets calls of that name fail, once `after` of them went well."""
        self._faults[call] += [0] * after + [error_number] * times

    def heal(self) -> None:
        self.room = None
        self.bad_block = range(0)
        self._faults.clear()

    @contextmanager
    def installed(self) -> Iterator["FaultyDisk"]:
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        vfs = library.sqlite3_vfs_find(b"unix-excl")
        changed = {name: getattr(self, f"_{name}") for name in ("fsync", "write")}
        plain = {name: self._wrap(name, getattr(os, name)) for name in _PLAIN}
        replaced = []
        for name, declared in _SQLITE_CALLS.items():
            real = declared(vfs.contents.get_call(vfs, name.encode()))
            replaced.append(declared(self._wrap_sqlite(f"sqlite-{name.removesuffix('64')}", real)))
            vfs.contents.set_call(vfs, name.encode(), ctypes.cast(replaced[-1], ctypes.c_void_p))
        try:
            with ExitStack() as patches:
                for name, call in {**plain, **changed}.items():
                    patches.enter_context(mock.patch.object(os, name, call))
                yield self
        finally:
            vfs.contents.set_call(vfs, None, None)

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._note(name)
            return real(*arguments, **options)

        return call

    def _wrap_sqlite(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            try:
                self._note(name)
                if name == "sqlite-pwrite":
                    fd, data, length, offset = arguments
                    growth = offset + length - os.fstat(fd).st_size
                    return real(fd, data, length - self._refuse(growth), offset)
                if name == "sqlite-pread":
                    self._read(*arguments)
            except OSError as error:
                ctypes.set_errno(error.errno or errno.EIO)
                return -1
            return real(*arguments)

        return call

    def _fsync(self, fd: int) -> None:
        self._note("fsync-folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "fsync")

    def _write(self, fd: int, data: memoryview) -> int:
        self._note("write")
        return _write(fd, data[: len(data) - self._refuse(len(data))])

    def _read(self, fd: int, _: int, length: int, offset: int) -> None:
        is_bad = self.bad_file is not None and os.path.samestat(os.fstat(fd), self.bad_file.stat())
        if is_bad and range(
            max(offset, self.bad_block.start), min(offset + length, self.bad_block.stop)
        ):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _refuse(self, growth: int) -> int:
        """How many of so many new bytes there is no room for."""
        if self.room is None or growth <= 0:
            return 0
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(growth, self.room)
        self.room -= taken
        return growth - taken

    def _note(self, call: str) -> None:
        self.before(call)
        self.calls.append(call)
        if self._faults[call] and (error_number := self._faults[call].pop(0)):
            raise OSError(error_number, os.strerror(error_number))


_PLAIN = ("open", "unlink", "rename", "mkdir")
_write = os.write
