"""How the storage functions run on SQLite: one thread that writes, a few that read."""

import asyncio
import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, cast
from urllib.parse import quote

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError

from app.domain.errors import Unavailable
from app.storage.db.database import Database
from app.storage.db.sqlite_file import Change, SqliteFile
from app.storage.db.writer import WriterThread

P = ParamSpec("P")
T = TypeVar("T")

READ_THREADS = 4
BUSY_SECONDS = 10.0
# What was committed is written to its place so often while much comes, in the writing thread: at
# four times a second that meets fewer than one message in a hundred.
CHECKPOINT_JOBS = 200
CHECKPOINT_SECONDS = 0.25
IDLE_CHECKPOINT_SECONDS = 30.0
# How long a start looks for damage; and how long one does who has found some, while messages wait
# in the spool.
START_CHECK_SECONDS = 2.0
CHECK_SECONDS = 5.0
# A damaged file is looked at again so many times the length of the last look later.
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

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# It may be done later: the file is locked, or the disk is full, read-only or failing.
_PASSING = _BUSY | {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_READONLY,
}
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

log = structlog.get_logger("letterbox.sqlite")


class Trouble(NamedTuple):
    """Why the file cannot be trusted now; `text` says what to do. `change` None: it is damaged."""

    change: Change | None
    text: str


class SqliteDatabase(Database):
    """WAL, and every commit fsynced.

    With `is_owner`, as the service opens it, it notices when somebody removes, replaces or
    overwrites the file. It then refuses what it is asked for until `mend` finds one it can use.
    Where another program only wrote to the file, messages alone wait until `mend` has examined it.
    """

    dialect = "sqlite"

    def __init__(
        self, path: Path, *, busy_timeout_seconds: float = 0.9, is_owner: bool = False
    ) -> None:
        self.path = path
        self.trouble: Trouble | None = None
        # The schema's, once it has been read: no other file will do.
        self.revision: str | None = None
        self._is_owner = is_owner
        self._is_touched = False
        self._file = SqliteFile(path)
        self._write_engine = make_sqlite_engine(
            path, busy_timeout_seconds=busy_timeout_seconds, may_create=self._may_create
        )
        self._read_engine = make_sqlite_engine(path, read_only=True, may_create=self._may_create)
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

        # What is damaged in one place can still be read in others.
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
                if _read_code(error) not in _BUSY:
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
        """Whether what was committed is in the file that others find; False: not now.

        Raises Unavailable where it is not, or where a message had better wait elsewhere.
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

    async def mend(self) -> None:
        """Open the file anew where it has changed. Raises Unavailable while none can be used."""
        if self._is_touched and self.trouble is None:
            await asyncio.to_thread(self._examine_touched)
        if self.trouble is not None:
            await self.writer.submit_alone(self._mend)

    async def find_damage(self) -> str | None:
        """What is wrong with the file and what to do, as far as a short look tells."""
        return await asyncio.to_thread(self._find_damage)

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._look_last)
            await self.mend()
        if self.trouble is not None and self.trouble.change in ("overwritten", "emptied"):
            # Closing would write to the file what does not belong there.
            await asyncio.to_thread(self._file.empty_journal)
        await asyncio.to_thread(self.writer.close)
        self._readers.shutdown()
        self._read_engine.dispose()
        self._write_engine.dispose()
        self._file.forget()

    def on_connected(self, connection: Connection) -> None:
        """The writing thread has opened the file; those beside it are there once it is read."""
        self._file.was_noted = True
        if self._is_owner:
            get_driver(connection).execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
            with self._file.writing:
                self._file.note()
                self._checkpoint(connection)

    def on_done(self, connection: Connection) -> None:
        """The writing thread has done a job: now and then write to its place what was committed."""
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

    def _checkpoint(self, connection: Connection) -> None:
        """Under a new stamp, by which the file is told from every copy of it."""
        driver, stamp, is_whole = get_driver(connection), secrets.randbits(31), False
        # Where it fails, a later one does it.
        with contextlib.suppress(sqlite3.Error):
            driver.execute(f"PRAGMA user_version = {stamp}").close()
            [(_, frames, written)] = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            is_whole = frames == written
        self._file.note_writing(stamp)
        # A reader kept it from writing everything: the file alone is of no use until the next one.
        self._jobs = 0 if is_whole else CHECKPOINT_JOBS
        self._checkpointed_at = monotonic()

    def on_failed(self, error: BaseException) -> None:
        """Something failed; where the file is damaged nothing more may be written to it."""
        if self._is_owner and self.trouble is None and _read_code(error) in _DAMAGED:
            found = getattr(error, "orig", error)
            self._set_trouble(None, f"the SQLite file {self.path} is damaged ({found}): {ADVICE}")

    def _look_last(self) -> None:
        with self._file.writing:
            change = self._file.find_change() if self._is_owner else None
        if change is not None:
            self._note_change(change)

    def _may_create(self) -> bool:
        """Not in place of a file that somebody has removed: that one may come back."""
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
        self.trouble = Trouble(change, text)

    def _mend(self, writer: WriterThread) -> None:
        """In the writing thread, while nobody else is served."""
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
        """Part with the journal where it does not belong to the file, or would spoil it."""
        if change == "touched":
            self._file.note_writing()
            self._is_touched = False
            return
        is_foreign = change == "overwritten" or self._is_emptied()
        if is_foreign and self._find_fault(alone=True) is None:
            self._file.empty_journal()
            self._open_anew(writer)

    def _is_emptied(self) -> bool:
        """Whether what was committed is gone from the journal without being in the file."""
        is_told = self.trouble is not None and self.trouble.change == "emptied"
        return is_told and self._find_fault() is not None

    def _examine_touched(self) -> None:
        """Go on where the file is sound; a checkpoint by another program leaves it so."""
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
        """End the trouble, or refuse the file that stands there now."""
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
        """Why the file that stands at the path cannot be used."""
        try:
            revision = self._file.check(seconds=CHECK_SECONDS, alone=alone)
        except (sqlite3.Error, OSError) as error:
            return f"it is damaged ({error})"
        if self.revision not in (None, revision):
            return "it is empty, or no database of this release of Letterbox"
        return None

    def _find_damage(self) -> str | None:
        if not self.path.exists():
            return None
        try:
            self._file.check(seconds=START_CHECK_SECONDS)
        except OSError:
            return None
        except sqlite3.Error as error:
            if is_passing_code(_read_code(error)):
                return None
            found = str(error)
        else:
            return None
        try:
            self._file.check(seconds=START_CHECK_SECONDS, alone=True)
        except sqlite3.Error:
            return f"is damaged ({found}): put a sound copy of it there, or name another one"
        return (
            f"does not go with {self._file.wal.name} beside it ({found}), which an earlier file"
            f" left: move {self._file.wal.name} and {self._file.shm.name} away and start again"
        )

    def _rescue(self, writer: WriterThread) -> None:
        """Keep a copy of a file that nobody can reach any more but we, who have it open."""
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
        """Let go of every connection: the next ones open what stands at the path."""
        readers, self._readers = self._readers, make_readers()
        readers.shutdown()
        self._read_engine.dispose()
        writer.disconnect()
        self._write_engine.dispose()
        self._file.forget()
        self._rescued = None


def make_readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(READ_THREADS, thread_name_prefix="sqlite-reader")


def make_sqlite_engine(
    path: Path,
    *,
    may_create: Callable[[], bool],
    read_only: bool = False,
    busy_timeout_seconds: float = BUSY_SECONDS,
) -> Engine:
    """An engine that begins its own transactions: the driver's begin too late for a lock.

    What was committed is written to its place by `SqliteDatabase`, or when the last connection
    closes, never by a commit: who looks for strangers' writes must know its own.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"isolation_level": None, "check_same_thread": False},
        pool_size=READ_THREADS if read_only else 1,
        hide_parameters=True,
    )
    pragmas = [
        f"PRAGMA busy_timeout = {int(busy_timeout_seconds * 1000)}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA cache_size = -16000",
        "PRAGMA wal_autocheckpoint = 0",
    ]
    if read_only:
        pragmas.append("PRAGMA query_only = ON")

    @event.listens_for(engine, "do_connect")
    def connect(
        _dialect: object, _record: object, _arguments: object, options: dict[str, Any]
    ) -> sqlite3.Connection:
        if may_create():
            make_private(path)
        url = f"file:{quote(str(path))}?mode=rw"
        opened: sqlite3.Connection = sqlite3.connect(url, uri=True, **options)
        return opened

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def make_private(path: Path) -> None:
    """Make the file where it is missing: what people write nobody else on the machine may read.

    SQLite gives the files beside it the same mode, and finds its own words for what fails here. A
    file that is there is not opened: closing it would let go of SQLite's locks.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def get_driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection, for what may run in no transaction."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


def is_passing(error: DBAPIError) -> bool:
    """Whether SQLite may do it later: the file is locked, or the disk is full or failing."""
    return is_passing_code(_read_code(error))


def is_passing_code(code: int) -> bool:
    return code in _PASSING


def _read_code(error: BaseException) -> int:
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return int(code) & 0xFF
