"""The SQLite file of a spool: its lock, its tables, and what can be read where it is damaged."""

import os
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from app.storage.durable import find_code

SUFFIX = ".sqlite3"
PAGE_BYTES = 4096

_PRAGMAS = (
    f"PRAGMA page_size={PAGE_BYTES}",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA synchronous=FULL",
    "PRAGMA cell_size_check=ON",
)
# Every id above `released` and up to `appended` must have its record; otherwise some were lost.
_TABLES = (
    """CREATE TABLE state (
        begun_at REAL NOT NULL DEFAULT (julianday('now')),
        mark BLOB,
        appended INTEGER NOT NULL DEFAULT 0,
        released INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        checksum INTEGER NOT NULL,
        record BLOB NOT NULL
    )""",
)
# Not what may pass, such as a lack of memory.
_DAMAGE_CODES = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_IOERR_SHORT_READ,
    }
)
_WAL_HEADER = struct.Struct(">6I2I")
WAL_HEADER_BYTES = _WAL_HEADER.size
_FRAME_HEADER = struct.Struct(">II8s8s")


class _Connection(sqlite3.Connection):
    """SQLite's error may quote a damaged schema, and Python cannot raise what is no UTF-8."""

    def execute(self, *asked: Any) -> sqlite3.Cursor:
        try:
            return super().execute(*asked)
        except UnicodeDecodeError as error:
            raise _make_damage("the schema of the file is damaged") from error


def _make_damage(told: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(told)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


class State(NamedTuple):
    """`begun_at` is a Julian day by SQLite's clock; `mark` says whose the records are."""

    begun_at: float = 0.0
    mark: bytes | None = None
    appended: int = 0
    released: int = 0
    is_sound: bool = True


def find_wal(path: Path) -> Path:
    """SQLite's journal of a file."""
    return path.with_name(f"{path.name}-wal")


def is_damage(error: BaseException) -> bool:
    """Whether the file's content is wrong, or a part of it cannot be read at any attempt."""
    code = find_code(error)
    return code in _DAMAGE_CODES or code & 0xFF in _DAMAGE_CODES


def lock_file(path: Path) -> sqlite3.Connection | None:
    """The file, locked until the connection is closed; None where another holds it or it is gone.

    unix-excl takes the lock in one step: with the default VFS two that try at once can both fail.
    """
    connection = None
    try:
        before = path.stat()
        uri = f"{path.absolute().as_uri()}?mode=rw&vfs=unix-excl"
        connection = sqlite3.connect(
            uri, uri=True, timeout=0, isolation_level=None, factory=_Connection
        )
        connection.text_factory = bytes  # what became a text by damage may be no UTF-8
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        # The last holder may have removed it meanwhile. No name is used twice.
        if os.path.samestat(before, path.stat()):
            return connection
    except (OSError, sqlite3.Error) as error:
        if find_code(error) & 0xFF != sqlite3.SQLITE_BUSY and path.exists():
            if connection is not None:
                connection.close()
            raise
    if connection is not None:
        connection.close()
        # SQLite may have made it anew for a file that has no name any more.
        with suppress(OSError):
            if not path.exists() and not find_wal(path).stat().st_size:
                find_wal(path).unlink()
    return None


def make_tables(connection: sqlite3.Connection, mark: bytes | None) -> State:
    """Makes a new, locked file ready. It is durable then, but for its name."""
    connection.execute("PRAGMA journal_mode=WAL")
    with connection:
        for statement in ("BEGIN", *_TABLES):
            connection.execute(statement)
        connection.execute("INSERT INTO state (mark) VALUES (?)", (mark,))
    return read_state(connection)


def read_state(connection: sqlite3.Connection) -> State:
    """Empty where the process ended before it had made the tables."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        return State()
    try:
        row = connection.execute("SELECT begun_at, mark, appended, released FROM state").fetchone()
    except sqlite3.OperationalError as error:
        # A file without the table is another program's; a table of ours has these columns.
        if "no such column" in str(error):
            raise _make_damage("the schema of the file is damaged") from error
        raise
    match row:
        case (float(begun_at), (bytes() | None) as mark, int(appended), int(released)):
            state = State(begun_at, mark, appended, released)
        case _:
            raise _make_damage("the state of the file is damaged")
    try:
        ends = "SELECT (SELECT min(id) FROM records), (SELECT max(id) FROM records)"
        first, last = connection.execute(ends).fetchone()
    except sqlite3.DatabaseError as damage:
        if not is_damage(damage):
            raise
        return state._replace(is_sound=False)
    found = state._replace(appended=last or released, released=first - 1 if first else released)
    return found._replace(is_sound=found == state)


def write_mark(connection: sqlite3.Connection, mark: bytes) -> None:
    connection.execute("UPDATE state SET mark = ?", (mark,))


def append_records(connection: sqlite3.Connection, first_id: int, records: Sequence[bytes]) -> None:
    """All of them, durably, or none."""
    rows = [(id_, zlib.crc32(record), record) for id_, record in enumerate(records, first_id)]
    with connection:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
        connection.execute("UPDATE state SET appended = ?", (rows[-1][0],))


def delete_records(connection: sqlite3.Connection, last_id: int) -> None:
    """Those up to and including `last_id`."""
    with connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM records WHERE id <= ?", (last_id,))
        connection.execute("UPDATE state SET released = ?", (last_id,))


def scan_records(
    connection: sqlite3.Connection, first_id: int, last_id: int
) -> Iterator[tuple[int, bytes]]:
    """The records with these ids, in order, without those that are damaged or gone."""
    query = "SELECT id, checksum, record FROM records WHERE id BETWEEN ? AND ? ORDER BY id"
    next_id = first_id
    try:
        for id_, checksum, record in connection.execute(query, (first_id, last_id)):
            if isinstance(record, bytes) and zlib.crc32(record) == checksum:
                yield id_, record
            next_id = id_ + 1
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        if first_id < last_id:
            # One page was hit; others may be sound.
            for id_ in range(next_id, last_id + 1):
                yield from scan_records(connection, id_, id_)


def find_lost_commits(connection: sqlite3.Connection, path: Path) -> bytes | None:
    """The journal of a killed process, if damage in it hides more than a crash can explain.

    SQLite stops reading at the first frame that is wrong. What follows can be the one transaction
    that was being written; more than one were acknowledged. To be called before anything is
    written.
    """
    try:
        _, sound, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        wal = find_wal(path).read_bytes()
    except FileNotFoundError:
        return None
    except sqlite3.OperationalError as error:
        if is_damage(error):
            raise
        return None  # The disk is full, but what is there can be read.
    step = _FRAME_HEADER.size + PAGE_BYTES
    frames = [
        _FRAME_HEADER.unpack_from(wal, offset)
        for offset in range(_WAL_HEADER.size, len(wal) - _FRAME_HEADER.size, step)
    ]
    if not frames:
        return None
    # Frames with other salts than the header's are of an earlier round, which is in its place.
    salts = wal[16:24] if _is_sound_header(wal) else None
    commits = sum(size > 0 and salts in (None, found) for _, size, found, _ in frames[sound:])
    return wal if commits > 1 else None


def _is_sound_header(wal: bytes) -> bool:
    """By its checksum ("Checksum Algorithm" on SQLite's page about the WAL's format)."""
    words = struct.unpack(">6I" if wal[3] & 1 else "<6I", wal[:24])
    one = two = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return struct.pack(">II", one, two) == wal[24:32]
