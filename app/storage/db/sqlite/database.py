"""Runs the storage functions on SQLite: one thread writes, a few read."""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Concatenate, Literal, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from app.domain.errors import DatabaseAway
from app.storage.db.database import Database
from app.storage.db.sqlite.engine import (
    BUSY,
    BUSY_SECONDS,
    READ_THREADS,
    get_driver,
    make_private,
    make_sqlite_engine,
    read_code,
)
from app.storage.db.sqlite.file import Change
from app.storage.db.sqlite.health import FileHealth
from app.storage.db.sqlite.refusals import explain
from app.storage.db.sqlite.writer import WriterThread

P = ParamSpec("P")
T = TypeVar("T")

# The writing thread makes a checkpoint this often under load: at four times a second it delays
# fewer than one message in a hundred.
CHECKPOINT_JOBS = 200
CHECKPOINT_SECONDS = 0.25
IDLE_CHECKPOINT_SECONDS = 30.0

log = structlog.get_logger("letterbox.sqlite")


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
        self.health = FileHealth(path, is_owner=is_owner)
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
        self._jobs = 0
        self._checkpointed_at = monotonic()
        self.writer = WriterThread(self._write_engine, self)

    @property
    def fault(self) -> str | None:
        return self.health.trouble.text if self.health.trouble else None

    def take_faults(self) -> list[str]:
        return self.health.take_faults()

    def look(self, *, for_messages: bool = False) -> bool:
        """Check that what was committed is in the file at the path; False: no check now.

        Raises Unavailable if it is not, or if messages should go to the spool.
        """
        return self.health.look(for_messages=for_messages)

    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run() -> T:
            with self._read_engine.begin() as connection:
                return fn(connection, *args, **kwargs)

        # A damaged file can still be read in part.
        if self.health.change is not None:
            self.health.refuse()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except DatabaseError as error:
            self.health.on_failed(error)
            self.health.raise_unavailable(error)
            raise

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run(connection: Connection) -> T:
            with connection.begin():
                return fn(connection, *args, **kwargs)

        deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
        while True:
            self.health.refuse()
            try:
                outcome = await self.writer.submit(run)
            except DatabaseError as error:
                if read_code(error) not in BUSY:
                    self.health.raise_unavailable(error)
                    raise
                if asyncio.get_running_loop().time() > deadline:
                    raise DatabaseAway(explain(error, self.path)) from None
            else:
                self.look()
                return outcome
            await asyncio.sleep(0.02)

    @property
    def files(self) -> Sequence[Path]:
        return [self.path, self.health.file.wal]

    async def purge(self) -> bool:
        self.health.refuse()
        return await self.writer.submit(self._empty_journal)

    async def compact(self) -> None:
        self.health.refuse()
        await self.writer.submit(
            lambda connection: get_driver(connection).execute("VACUUM").close()
        )

    def _empty_journal(self, connection: Connection) -> bool:
        with self.health.file.writing:
            if self.health.is_owner and self.health.file.find_change() is not None:
                return False
            is_whole = self._checkpoint(connection, "TRUNCATE")
            self.health.file.note_journal()
        return is_whole

    async def mend(self) -> None:
        """Open the file again if it has changed. Raises Unavailable while none can be used."""
        if self.health.is_touched and self.health.trouble is None:
            await asyncio.to_thread(self.health.examine_touched)
        if self.health.trouble is not None:
            await self.writer.submit_alone(self._mend)

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self.health.look_last)
            await self.mend()
        if self.health.change in ("overwritten", "emptied"):
            # Closing would write to the file what does not belong to it.
            await asyncio.to_thread(self.health.file.empty_journal)
        await asyncio.to_thread(self.writer.close)
        self._readers.shutdown()
        self._read_engine.dispose()
        self._write_engine.dispose()
        self.health.file.forget()

    def on_connected(self, connection: Connection) -> None:
        """The writing thread has opened the file; SQLite creates the others at the first read."""
        self.health.file.was_noted = True
        if self.health.is_owner:
            get_driver(connection).execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            with self.health.file.writing:
                self.health.file.note()
                self._checkpoint(connection)

    def on_done(self, connection: Connection) -> None:
        """The writing thread has done a job: make a checkpoint now and then."""
        self._jobs += 1
        since = monotonic() - self._checkpointed_at
        often = CHECKPOINT_SECONDS if self._jobs >= CHECKPOINT_JOBS else IDLE_CHECKPOINT_SECONDS
        if since < often or not self.health.may_write:
            return
        with self.health.file.writing:
            change = self.health.file.find_change()
            if change is None:
                self._checkpoint(connection)
        if change is not None:
            self.health.note_change(change)

    def on_failed(self, error: BaseException) -> None:
        self.health.on_failed(error)

    def _checkpoint(
        self, connection: Connection, how: Literal["PASSIVE", "TRUNCATE"] = "PASSIVE"
    ) -> bool:
        """With a new stamp, which tells the file from every copy of it; whether it is complete."""
        driver, stamp, is_whole = get_driver(connection), secrets.randbits(31), False
        # If it fails, a later one succeeds.
        with contextlib.suppress(sqlite3.Error):
            driver.execute(f"PRAGMA user_version = {stamp}").close()
            result = driver.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
            [(busy, frames, written)] = result
            is_whole = frames == written and not (busy and how == "TRUNCATE")
        self.health.file.note_writing(stamp)
        # If a reader kept it from writing everything, the next one comes soon: until then the file
        # alone is incomplete.
        self._jobs = 0 if is_whole else CHECKPOINT_JOBS
        self._checkpointed_at = monotonic()
        return is_whole

    def _may_create(self) -> bool:
        """Not in place of a file that was removed: it may be put back."""
        return not self.health.file.was_noted

    def _mend(self, writer: WriterThread) -> None:
        """In the writing thread, while nothing else runs."""
        with self.health.file.writing:
            change = self.health.file.find_change()
            if change is not None and self.health.change != change:
                self.health.note_change(change)
            if change == "removed":
                self._rescue(writer)
                self.health.refuse()
            if change in ("replaced", "journal"):
                if change == "replaced":
                    self.health.file.part_from_journal()
                self._open_anew(writer)
            else:
                self.health.refuse_until_check()
                self._settle_journal(writer, change)
            self.health.trust(change)

    def _settle_journal(self, writer: WriterThread, change: Change | None) -> None:
        """Set the journal aside if it belongs to another file, or would damage this one."""
        if change == "touched":
            self.health.file.note_writing()
            self.health.is_touched = False
            return
        is_foreign = change == "overwritten" or self.health.is_emptied()
        if is_foreign and self.health.find_fault(alone=True) is None:
            self.health.file.empty_journal()
            self._open_anew(writer)

    def _rescue(self, writer: WriterThread) -> None:
        """Keep a copy of a deleted file, which only this process still has open."""
        file = self.health.file
        if self._rescued is None and file.is_deleted() and writer.connection is not None:
            target = file.find_rescue()
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
        self.health.set_trouble(
            "removed",
            f"the SQLite file {self.path} was removed or moved while Letterbox was running:"
            f" {kept}, or restart Letterbox to begin an empty one",
        )

    def _open_anew(self, writer: WriterThread) -> None:
        """Close every connection: the next ones open the file at the path."""
        readers, self._readers = self._readers, make_readers()
        readers.shutdown()
        self._read_engine.dispose()
        writer.disconnect()
        self._write_engine.dispose()
        self.health.file.forget()
        self._rescued = None


def make_readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READ_THREADS, thread_name_prefix="sqlite-reader")
