"""What the spool sets aside for a person: segments that lost records, and refused records."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from app.storage.durable import Files, make_folder, spool_errors, sync_folder, write_file

_DAMAGED = "damaged"
_REFUSED = "refused"
QUARANTINES = (_DAMAGED, _REFUSED)


def refuse(root: Path, record: bytes, reason: str, *, files: Files = os) -> Path:
    """Keeps a record that the database can never store: a line with the reason, then the record.

    Durable in `root`/refused/ when it returns, else SpoolError. The name is the record's digest, so
    that a drain which comes across it twice keeps it once.
    """
    path = root / _REFUSED / hashlib.sha256(record).hexdigest()
    with spool_errors(path.parent):
        make_folder(files, root)
        make_folder(files, path.parent)
        write_file(files, path, " ".join(reason.split()).encode() + b"\n" + record)
    return path


def count_refused(root: Path) -> int:
    """How many records `refuse` keeps."""
    folder = root / _REFUSED
    with spool_errors(folder), suppress(FileNotFoundError):
        return sum(not path.name.startswith(".") for path in folder.iterdir())
    return 0


def set_aside(files: Files, segment: Path) -> Path:
    """Moves a damaged segment to `root`/damaged/, under its folder's name and its own.

    It stays on its file system, so that no space and no good sector is needed. OSError where it
    could not be moved.
    """
    folder = segment.parent
    path = folder.parent / _DAMAGED / f"{folder.name}-{segment.name}"
    make_folder(files, path.parent)
    files.rename(segment, path)
    # The move lost to a power cut is only a second delivery.
    with suppress(OSError):
        sync_folder(files, path.parent)
    return path
