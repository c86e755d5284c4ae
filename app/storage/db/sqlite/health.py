"""Whether the SQLite file may be used: what has become of it, and what a check found."""

import sqlite3
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import structlog
from sqlalchemy.exc import DatabaseError

from app.domain.errors import DatabaseAway, Unavailable
from app.storage.db.sqlite.engine import DAMAGED, is_passing, read_code
from app.storage.db.sqlite.file import Change, SqliteFile
from app.storage.db.sqlite.refusals import explain

# How long a damaged file is checked again, while messages wait in the spool.
CHECK_SECONDS = 5.0
# The pause before a damaged file is checked again, as a multiple of the last check.
CHECK_PAUSE = 10
MOST_FAULTS = 10
MIN_CHECK_PAUSE_SECONDS = 5.0

CHANGES: dict[str, str] = {
    "removed": "was removed or moved",
    "replaced": "was replaced by another one",
    "overwritten": "was overwritten",
    "journal": "lost its -wal or -shm file",
    "emptied": "had its -wal file emptied",
}
ADVICE = "stop Letterbox, put a sound copy there, move what ends in -wal and -shm away, start it"

log = structlog.get_logger("letterbox.sqlite")


class FileFault(NamedTuple):
    """Why the file must not be used now, and what to do. `change` None: it is damaged."""

    change: Change | None
    text: str


class FileHealth:
    """`trouble` is why nothing may be read or written now, apart from what a damaged file gives.

    `is_touched`: another program only wrote to it, so messages alone wait until it is examined.
    `revision` is the schema's, once read: a file with another one is refused.
    """

    def __init__(self, path: Path, *, is_owner: bool) -> None:
        self.path = path
        self.is_owner = is_owner
        self.file = SqliteFile(path)
        self.trouble: FileFault | None = None
        self.is_touched = False
        self.revision: str | None = None
        self._faults: list[str] = []
        self._check_again_at = 0.0

    @property
    def change(self) -> Change | None:
        """What has happened to it; None if nothing, or if it is damaged."""
        return self.trouble.change if self.trouble else None

    @property
    def may_write(self) -> bool:
        """Whether a checkpoint of ours may write to the file itself."""
        return self.is_owner and not self.is_touched and self.trouble is None

    def take_faults(self) -> list[str]:
        """What has happened since the last call."""
        faults, self._faults = self._faults, []
        return faults

    def look(self, *, for_messages: bool = False) -> bool:
        """Check that what was committed is in the file at the path; False: no check now.

        Raises Unavailable if it is not, or if messages should go to the spool.
        """
        self.refuse()
        if not self.file.writing.acquire(blocking=False):
            return False
        try:
            change = self.file.find_change() if self.is_owner else None
        finally:
            self.file.writing.release()
        if change is not None:
            self.note_change(change)
        self.refuse()
        if for_messages and self.is_touched:
            raise Unavailable("another program wrote to the SQLite file, which is being examined")
        return True

    def look_last(self) -> None:
        """Check it, however long a checkpoint of ours takes."""
        with self.file.writing:
            change = self.file.find_change() if self.is_owner else None
        if change is not None:
            self.note_change(change)

    def refuse(self) -> None:
        """Raises Unavailable while there is trouble."""
        if self.trouble is not None:
            raise DatabaseAway(self.trouble.text)

    def refuse_until_check(self) -> None:
        """Raises Unavailable while it is too soon to check a damaged file again."""
        if monotonic() < self._check_again_at:
            self.refuse()

    def raise_unavailable(self, error: DatabaseError) -> None:
        """Raises Unavailable if it is due to trouble, or passes by itself."""
        self.refuse()
        if is_passing(error):
            raise DatabaseAway(explain(error, self.path)) from None

    def note_change(self, change: Change) -> None:
        """Another program did this to the file."""
        if change == "touched":
            self.is_touched = True
            return
        self.set_trouble(
            change, f"the SQLite file {self.path} {CHANGES[change]} while Letterbox was running"
        )

    def set_trouble(self, change: Change | None, text: str) -> None:
        """Use the file no more, for this reason."""
        if self.trouble is None or self.trouble.text != text:
            log.error("sqlite_file_damaged" if change is None else "sqlite_file_lost", error=text)
            self._faults = [*self._faults[-MOST_FAULTS:], text]
        self.trouble = FileFault(change, text)

    def on_failed(self, error: BaseException) -> None:
        """Something failed; nothing more may be written to a damaged file."""
        if self.is_owner and self.trouble is None and read_code(error) in DAMAGED:
            found = getattr(error, "orig", error)
            self.set_trouble(None, f"the SQLite file {self.path} is damaged ({found}): {ADVICE}")

    def is_emptied(self) -> bool:
        """Whether commits are gone from the journal without being in the file."""
        return self.change == "emptied" and self.find_fault() is not None

    def examine_touched(self) -> None:
        """Continue if the file is sound, as it is after another program's checkpoint."""
        with self.file.writing:
            self.file.note_writing()
        fault = self.find_fault()
        if fault is not None and self.file.is_journal_empty():
            self.note_change("emptied")
        elif fault is not None:
            self.set_trouble(None, f"the SQLite file {self.path} cannot be used: {fault}; {ADVICE}")
        self.is_touched = False

    def trust(self, change: Change | None) -> None:
        """Use the file again, or refuse it."""
        began = monotonic()
        fault = self.find_fault()
        if fault is not None:
            pause = max(MIN_CHECK_PAUSE_SECONDS, CHECK_PAUSE * (monotonic() - began))
            self._check_again_at = monotonic() + pause
            text = f"the SQLite file {self.path} cannot be used: {fault}; {ADVICE}"
            self.set_trouble(change or self.change, text)
            self.refuse()
        self.trouble = None
        log.info("sqlite_file_usable")

    def find_fault(self, *, alone: bool = False) -> str | None:
        """Why the file at the path cannot be used."""
        try:
            revision = self.file.check(seconds=CHECK_SECONDS, alone=alone)
        except (sqlite3.Error, OSError) as error:
            return f"it is damaged ({error})"
        if self.revision not in (None, revision):
            return "it is empty, or no database of this release of Letterbox"
        return None
