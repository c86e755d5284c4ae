"""A small file system in memory, to be filled up."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_FILLER = "filler"
_CHUNK = b"\0" * 4096


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted tmpfs."""

    path: Path

    def fill(self) -> None:
        """Take every block that is left."""
        with (self.path / _FILLER).open("ab", buffering=0) as filler:
            while True:
                try:
                    filler.write(_CHUNK)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.path / _FILLER).unlink()


@contextmanager
def mounted(path: Path, *, mebibytes: int) -> Iterator[SmallDisk]:
    """A tmpfs of that size at `path` for the length of the block."""
    path.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0755", "tmpfs", path)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", os.fspath(path)], check=True)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
