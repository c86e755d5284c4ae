"""What the spool sets aside for a person: files that lost records, and refused records."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.storage.durable import make_folder, spool_errors, sync_folder, write_file
from app.storage.spool.record_file import find_wal

_DAMAGED = "damaged"
REFUSED = "refused"
QUARANTINES = (_DAMAGED, REFUSED)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What lies set aside below `root`, by names that are of this machine's or container's disk.

    Processes may share a database without sharing DATA_DIR: `id`, which stands in the file `mark`,
    tells one such folder from another. It is None where the disk would not take the mark.
    """

    root: Path
    mark: Path
    id: str | None

    def name(self, path: Path) -> str:
        """What a file is called in alerts."""
        inside = str(path.relative_to(self.root))
        return inside if self.id is None else f"{self.id}/{inside}"

    def find_gone(self, names: Iterable[str]) -> list[str]:
        """Those names whose file somebody has removed, as far as that can be seen from here."""
        if self.id is None or _read_mark(self.mark) != self.id:
            return []
        ours = f"{self.id}/"
        return [
            name
            for name in names
            if name.startswith(ours) and _is_gone(self.root / name.removeprefix(ours))
        ]


def read_id(text: str) -> str:
    """The id in a mark, which is a generated secret's file: short, for people see it."""
    return text[:8]


def _read_mark(mark: Path) -> str | None:
    try:
        return read_id(mark.read_text())
    except OSError:
        return None


def _is_gone(path: Path) -> bool:
    """Not where the disk will not tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def refuse(root: Path, record: bytes, reason: str) -> Path:
    """Keeps a record that the database can never store: a line with the reason, then the record.

    Durable in `root`/refused/ when it returns, else SpoolError. The name is the record's digest, so
    that a drain which comes across it twice keeps it once.
    """
    path = root / REFUSED / hashlib.sha256(record).hexdigest()
    with spool_errors(path.parent):
        make_folder(path.parent)
        write_file(path, " ".join(reason.split()).encode() + b"\n" + record)
    return path


def count_kept(root: Path) -> tuple[int, int]:
    """How many records `refuse` keeps, and how many damaged files are kept."""
    return _count_files(root / REFUSED), _count_files(root / _DAMAGED)


def _count_files(folder: Path) -> int:
    with spool_errors(folder), suppress(FileNotFoundError):
        return sum(not path.name.startswith(".") for path in folder.iterdir())
    return 0


def set_aside(path: Path, root: Path, name: str) -> Path:
    """Moves a damaged file of the spool to `root`/damaged/, with SQLite's journal of it.

    It stays on its file system, so that no space and no good sector is needed. OSError where it
    could not be moved.
    """
    kept = _make_damaged(root) / name
    with suppress(FileNotFoundError):
        find_wal(path).rename(find_wal(kept))
    path.rename(kept)
    # The move lost to a power cut is only a second delivery.
    with suppress(OSError):
        sync_folder(path.parent)
        sync_folder(kept.parent)
    return kept


def keep_damaged(root: Path, name: str, data: bytes) -> Path:
    """Writes what could not be read to `root`/damaged/. OSError where the disk does not take it."""
    path = _make_damaged(root) / name
    write_file(path, data)
    return path


def _make_damaged(root: Path) -> Path:
    make_folder(root / _DAMAGED)
    return root / _DAMAGED
