"""Takes over the spools of processes that are gone."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.storage.durable import SpoolError, spool_errors
from app.storage.spool.old_spool import convert, held_segments, read_mark
from app.storage.spool.quarantine import QUARANTINES, keep_damaged, set_aside
from app.storage.spool.record_file import (
    PAGE_BYTES,
    SUFFIX,
    find_lost_commits,
    find_wal,
    is_damage,
    lock_file,
    read_state,
)
from app.storage.spool.spool import Spool

# Not `lost+found`, which stands in the root of a volume.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Adoption:
    """The spools that were taken over, and why others that nobody holds could not be.

    `damaged` were moved to root/damaged/. `foreign` are left alone, for their mark is not ours;
    each with that.
    """

    spools: list[Spool] = field(default_factory=list)
    failures: list[SpoolError] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    foreign: list[tuple[Path, bytes]] = field(default_factory=list)


def adopt(root: Path, *, is_ours: Callable[[bytes], bool] = lambda _: True) -> Adoption:
    """Takes over every spool in `root` whose process is gone, to drain it and `close` it.

    A free lock is the proof that it is gone; `is_ours` judges the mark of a spool that has one. The
    oldest comes first, so that the messages of processes that died one after another come in order.
    One that cannot be opened does not keep the others from being drained.
    """
    found = Adoption()
    for path in _list_spools(root):
        try:
            # It may be gone by now: drained by another process.
            with spool_errors(path), suppress(FileNotFoundError):
                if path.is_dir():
                    _adopt_old(path, is_ours, found)
                else:
                    _adopt_file(path, is_ours, found)
        except SpoolError as error:
            found.failures.append(error)
    found.spools.sort(key=lambda spool: spool.begun_at)
    return found


def count_waiting(root: Path) -> int:
    """How many records wait in the spools of processes that are gone."""
    spools = adopt(root).spools
    waiting = sum(spool.depth for spool in spools)
    for spool in spools:
        spool.close()
    return waiting


def _adopt_file(path: Path, is_ours: Callable[[bytes], bool], found: Adoption) -> None:
    spool = _open_file(path, found)
    if spool is None:
        return
    if spool.mark is None or is_ours(spool.mark):
        found.spools.append(spool)
        return
    if spool.depth:
        found.foreign.append((path, spool.mark))
    spool.close()


def _open_file(path: Path, found: Adoption) -> Spool | None:
    connection = None
    try:
        is_begun = path.with_name(f"{path.name}-journal").exists()
        is_made = find_wal(path).exists()
        size = path.stat().st_size
        if size < PAGE_BYTES and not is_begun:
            # An empty one is about to be locked by its owner. Any other was cut short, and SQLite
            # would remove the journal of it.
            if size or is_made:
                found.damaged.append(set_aside(path, path.parent, path.name))
            return None
        connection = lock_file(path)
        if connection is None:
            return None
        wal = find_lost_commits(connection, path)
        if wal is not None:
            found.damaged.append(keep_damaged(path.parent, f"{path.name}.journal", wal))
        return Spool(path, connection, read_state(connection))
    except (OSError, sqlite3.Error) as error:
        try:
            if not is_damage(error):
                raise
            # What it holds, and for which database, cannot be read.
            found.damaged.append(set_aside(path, path.parent, path.name))
        finally:
            if connection is not None:
                connection.close()
    return None


def _adopt_old(folder: Path, is_ours: Callable[[bytes], bool], found: Adoption) -> None:
    with held_segments(folder) as segments:
        if segments is None:
            return
        mark = read_mark(folder)
        if mark is None or is_ours(mark):
            found.spools.append(convert(folder, segments, mark))
        elif segments:
            found.foreign.append((folder, mark))


def _list_spools(root: Path) -> list[Path]:
    with spool_errors(root), suppress(FileNotFoundError):
        return sorted(path for path in root.iterdir() if _is_spool(path))
    return []


def _is_spool(path: Path) -> bool:
    if path.is_symlink() or path.name in QUARANTINES or not _NAME.fullmatch(path.name):
        return False
    return path.suffix == SUFFIX if path.is_file() else path.is_dir()
