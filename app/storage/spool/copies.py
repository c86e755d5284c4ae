"""Copies the spools of a folder, also those that a process is writing to."""

import shutil
import time
from contextlib import suppress
from pathlib import Path

from app.storage.durable import SpoolError, make_folder, spool_errors
from app.storage.spool.quarantine import QUARANTINES
from app.storage.spool.record_file import SUFFIX, WAL_HEADER_BYTES, find_wal

_ATTEMPTS = 50
WAIT_SECONDS = 0.02


def copy_spools(root: Path, target: Path) -> None:
    """Copy every spool, and what is set aside, from `root` to the new folder `target`.

    A spool that is drained meanwhile may be missing: its messages are in the database by then.
    Raises SpoolError where one changes too fast to be copied.
    """
    with spool_errors(root):
        make_folder(target)
        for name in QUARANTINES:
            with suppress(FileNotFoundError):
                shutil.copytree(root / name, target / name)
        for path in sorted(root.glob(f"*{SUFFIX}")):
            try:
                _copy(path, target / path.name)
            except FileNotFoundError:
                _remove(target / path.name)


def _copy(path: Path, target: Path) -> None:
    """SQLite appends to the journal and writes to the file at checkpoints only.

    So a copy is whole if the file has not changed meanwhile and the journal has not begun again:
    what was appended to it in the middle of the copy is as if it had come later.
    """
    for _ in range(_ATTEMPTS):
        before = _look(path)
        shutil.copyfile(path, target)
        with suppress(FileNotFoundError):
            shutil.copyfile(find_wal(path), find_wal(target))
        if _look(path) == before:
            for each in (target, find_wal(target)):
                with suppress(FileNotFoundError):
                    each.chmod(0o600)
            return
        time.sleep(WAIT_SECONDS)
    raise SpoolError(f"The spool {path} is being drained: try again in a minute.")


def _remove(path: Path) -> None:
    for each in (path, find_wal(path)):
        each.unlink(missing_ok=True)


def _look(path: Path) -> tuple[object, ...]:
    found = path.stat()
    try:
        with find_wal(path).open("rb") as file:
            head = file.read(WAL_HEADER_BYTES)
    except FileNotFoundError:
        head = b""
    return found.st_ino, found.st_size, found.st_mtime_ns, head
