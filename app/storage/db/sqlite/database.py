"""Runs the storage functions on SQLite: one thread writes, a few read."""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Concatenate, Literal, NamedTuple, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from app.domain.errors import Unavailable
from app.storage.db.database import Database
from app.storage.db.sqlite.engine import (
    BUSY,
    BUSY_SECONDS,
    DAMAGED,
    READ_THREADS,
    get_driver,
    is_passing,
    make_private,
    make_sqlite_engine,
    read_code,
)
from app.storage.db.sqlite.file import Change, SqliteFile
from app.storage.db.sqlite.writer import WriterThread

P = ParamSpec("P")
T = TypeVar("T")

# The writing thread makes a checkpoint this often under load: at four times a second it delays
# fewer than one message in a hundred.
CHECKPOINT_JOBS = 200
CHECKPOINT_SECONDS = 0.25
IDLE_CHECKPOINT_SECONDS = 30.0
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


class SqliteDatabase(Database):
    """WAL mode, and every commit fsynced.

    With `is_owner`, as the service opens it, it notices when the file is removed, replaced or
    overwritten. It then refuses all work until `mend` finds a usable file. If another program only
    wrote to the file, only messages wait until `mend` has examined it.
    """

    dialect = "sqlite"

    def __init__(
        self, path: Path, *, busy_timeout_seconds: float = 0.9, is_owner: bool = False
    ) -> None:
        super().__init__()
        self.path = path
        self.trouble: FileFault | None = None
        # The schema's, once read: a file with another one is refused.
        self.revision: str | None = None
        self._is_owner = is_owner
        self._is_touched = False
        self._file = SqliteFile(path)
        self._write_engine = make_sqlite_engine(
            path,
            busy_timeout_seconds=busy_timeout_seconds,
            may_create=self._may_create,
            digest_key=self.digest_key,
        )
        self._read_engine = make_sqlite_engine(
            path, read_only=True, may_create=self._may_create, digest_key=self.digest_key
        )
        self._readers = make_readers()
        self._rescued: Path | None = None
        self._faults: list[str] = []
        self._jobs = 0
        self._checkpointed_at = monotonic()
        self._check_again_at = 0.0
        self.writer = WriterThread(self._write_engine, self)

    @property
    def fault(self) -> str | None:
        return self.trouble.text if self.trouble else None

    def take_faults(self) -> list[str]:
        faults, self._faults = self._faults, []
        return faults

    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run() -> T:
            with self._read_engine.begin() as connection:
                return fn(connection, *args, **kwargs)

        # A damaged file can still be read in part.
        if self.trouble is not None and self.trouble.change is not None:
            raise Unavailable(self.trouble.text)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except DatabaseError as error:
            self.on_failed(error)
            self._raise_unavailable(error)
            raise

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run(connection: Connection) -> T:
            with connection.begin():
                return fn(connection, *args, **kwargs)

        deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
        while True:
            self._refuse_in_trouble()
            try:
                outcome = await self.writer.submit(run)
            except DatabaseError as error:
                if read_code(error) not in BUSY:
                    self._raise_unavailable(error)
                    raise
                if asyncio.get_running_loop().time() > deadline:
                    raise Unavailable(
                        "another program keeps the SQLite file locked; end it and try again"
                    ) from None
            else:
                self.look()
                return outcome
            await asyncio.sleep(0.02)

    def look(self, *, for_messages: bool = False) -> bool:
        """Check that what was committed is in the file at the path; False: no check now.

        Raises Unavailable if it is not, or if messages should go to the spool.
        """
        self._refuse_in_trouble()
        if not self._file.writing.acquire(blocking=False):
            return False
        try:
            change = self._file.find_change() if self._is_owner else None
        finally:
            self._file.writing.release()
        if change is not None:
            self._note_change(change)
        self._refuse_in_trouble()
        if for_messages and self._is_touched:
            raise Unavailable("another program wrote to the SQLite file, which is being examined")
        return True

    @property
    def files(self) -> Sequence[Path]:
        return [self.path, self._file.wal]

    async def purge(self) -> bool:
        self._refuse_in_trouble()
        return await self.writer.submit(self._empty_journal)

    async def compact(self) -> None:
        self._refuse_in_trouble()
        await self.writer.submit(
            lambda connection: get_driver(connection).execute("VACUUM").close()
        )

    def _empty_journal(self, connection: Connection) -> bool:
        with self._file.writing:
            if self._is_owner and self._file.find_change() is not None:
                return False
            is_whole = self._checkpoint(connection, "TRUNCATE")
            self._file.note_journal()
        return is_whole

    async def mend(self) -> None:
        """Open the file again if it has changed. Raises Unavailable while none can be used."""
        if self._is_touched and self.trouble is None:
            await asyncio.to_thread(self._examine_touched)
        if self.trouble is not None:
            await self.writer.submit_alone(self._mend)

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._look_last)
            await self.mend()
        if self.trouble is not None and self.trouble.change in ("overwritten", "emptied"):
            # Closing would write to the file what does not belong to it.
            await asyncio.to_thread(self._file.empty_journal)
        await asyncio.to_thread(self.writer.close)
        self._readers.shutdown()
        self._read_engine.dispose()
        self._write_engine.dispose()
        self._file.forget()

    def on_connected(self, connection: Connection) -> None:
        """The writing thread has opened the file; SQLite creates the others at the first read."""
        self._file.was_noted = True
        if self._is_owner:
            get_driver(connection).execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            with self._file.writing:
                self._file.note()
                self._checkpoint(connection)

    def on_done(self, connection: Connection) -> None:
        """The writing thread has done a job: make a checkpoint now and then."""
        self._jobs += 1
        since = monotonic() - self._checkpointed_at
        often = CHECKPOINT_SECONDS if self._jobs >= CHECKPOINT_JOBS else IDLE_CHECKPOINT_SECONDS
        if not self._is_owner or since < often or self._is_touched or self.trouble is not None:
            return
        with self._file.writing:
            change = self._file.find_change()
            if change is None:
                self._checkpoint(connection)
        if change is not None:
            self._note_change(change)

    def _checkpoint(
        self, connection: Connection, how: Literal["PASSIVE", "TRUNCATE"] = "PASSIVE"
    ) -> bool:
        """With a new stamp, which tells the file from every copy of it; whether it is complete."""
        driver, stamp, is_whole = get_driver(connection), secrets.randbits(31), False
        # If it fails, a later one succeeds.
        with contextlib.suppress(sqlite3.Error):
            driver.execute(f"PRAGMA user_version = {stamp}").close()
            [(busy, frames, written)] = driver.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
            is_whole = frames == written and not (busy and how == "TRUNCATE")
        self._file.note_writing(stamp)
        # If a reader kept it from writing everything, the next one comes soon: until then the file
        # alone is incomplete.
        self._jobs = 0 if is_whole else CHECKPOINT_JOBS
        self._checkpointed_at = monotonic()
        return is_whole

    def on_failed(self, error: BaseException) -> None:
        """Something failed; nothing more may be written to a damaged file."""
        if self._is_owner and self.trouble is None and read_code(error) in DAMAGED:
            found = getattr(error, "orig", error)
            self._set_trouble(None, f"the SQLite file {self.path} is damaged ({found}): {ADVICE}")

    def _look_last(self) -> None:
        with self._file.writing:
            change = self._file.find_change() if self._is_owner else None
        if change is not None:
            self._note_change(change)

    def _may_create(self) -> bool:
        """Not in place of a file that was removed: it may be put back."""
        return not self._file.was_noted

    def _refuse_in_trouble(self) -> None:
        if self.trouble is not None:
            raise Unavailable(self.trouble.text)

    def _raise_unavailable(self, error: DatabaseError) -> None:
        self._refuse_in_trouble()
        if is_passing(error):
            raise Unavailable(f"the database cannot be used now: {error.orig}") from None

    def _note_change(self, change: Change) -> None:
        if change == "touched":
            self._is_touched = True
            return
        self._set_trouble(
            change, f"the SQLite file {self.path} {CHANGES[change]} while Letterbox was running"
        )

    def _set_trouble(self, change: Change | None, text: str) -> None:
        if self.trouble is None or self.trouble.text != text:
            log.error("sqlite_file_damaged" if change is None else "sqlite_file_lost", error=text)
            self._faults = [*self._faults[-MOST_FAULTS:], text]
        self.trouble = FileFault(change, text)

    def _mend(self, writer: WriterThread) -> None:
        """In the writing thread, while nothing else runs."""
        with self._file.writing:
            change = self._file.find_change()
            if change is not None and (self.trouble is None or self.trouble.change != change):
                self._note_change(change)
            if change == "removed":
                self._rescue(writer)
                self._refuse_in_trouble()
            if change in ("replaced", "journal"):
                if change == "replaced":
                    self._file.part_from_journal()
                self._open_anew(writer)
            else:
                if monotonic() < self._check_again_at:
                    self._refuse_in_trouble()
                self._settle_journal(writer, change)
            self._trust(change)

    def _settle_journal(self, writer: WriterThread, change: Change | None) -> None:
        """Set the journal aside if it belongs to another file, or would damage this one."""
        if change == "touched":
            self._file.note_writing()
            self._is_touched = False
            return
        is_foreign = change == "overwritten" or self._is_emptied()
        if is_foreign and self._find_fault(alone=True) is None:
            self._file.empty_journal()
            self._open_anew(writer)

    def _is_emptied(self) -> bool:
        """Whether commits are gone from the journal without being in the file."""
        is_told = self.trouble is not None and self.trouble.change == "emptied"
        return is_told and self._find_fault() is not None

    def _examine_touched(self) -> None:
        """Continue if the file is sound, as it is after another program's checkpoint."""
        with self._file.writing:
            self._file.note_writing()
        fault = self._find_fault()
        if fault is not None and self._file.is_journal_empty():
            self._note_change("emptied")
        elif fault is not None:
            self._set_trouble(
                None, f"the SQLite file {self.path} cannot be used: {fault}; {ADVICE}"
            )
        self._is_touched = False

    def _trust(self, change: Change | None) -> None:
        """Use the file again, or refuse it."""
        began = monotonic()
        fault = self._find_fault()
        if fault is not None:
            pause = max(MIN_CHECK_PAUSE_SECONDS, CHECK_PAUSE * (monotonic() - began))
            self._check_again_at = monotonic() + pause
            before = self.trouble.change if self.trouble else None
            text = f"the SQLite file {self.path} cannot be used: {fault}; {ADVICE}"
            self._set_trouble(change or before, text)
            self._refuse_in_trouble()
        self.trouble = None
        log.info("sqlite_file_usable")

    def _find_fault(self, *, alone: bool = False) -> str | None:
        """Why the file at the path cannot be used."""
        try:
            revision = self._file.check(seconds=CHECK_SECONDS, alone=alone)
        except (sqlite3.Error, OSError) as error:
            return f"it is damaged ({error})"
        if self.revision not in (None, revision):
            return "it is empty, or no database of this release of Letterbox"
        return None

    def _rescue(self, writer: WriterThread) -> None:
        """Keep a copy of a deleted file, which only this process still has open."""
        text = f"the SQLite file {self.path} was removed or moved while Letterbox was running"
        if self._rescued is None and self._file.is_deleted() and writer.connection is not None:
            target = self._file.find_rescue()
            try:
                make_private(target)
                get_driver(writer.connection).execute("VACUUM INTO ?", (str(target),)).close()
                self._rescued = target
            except sqlite3.Error as error:
                log.warning("not_rescued", error=str(error))
                target.unlink(missing_ok=True)
        kept = "put it back"
        if self._rescued is not None:
            kept = f"put it back, or rename {self._rescued}, which holds all that was in it"
        self._set_trouble("removed", f"{text}: {kept}, or restart Letterbox to begin an empty one")

    def _open_anew(self, writer: WriterThread) -> None:
        """Close every connection: the next ones open the file at the path."""
        readers, self._readers = self._readers, make_readers()
        readers.shutdown()
        self._read_engine.dispose()
        writer.disconnect()
        self._write_engine.dispose()
        self._file.forget()
        self._rescued = None


def make_readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READ_THREADS, thread_name_prefix="sqlite-reader")
