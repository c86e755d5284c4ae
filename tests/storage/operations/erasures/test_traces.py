"""The scan of files: it reads a database that is open without letting go of its locks."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.written_numbers import make_forms
from app.storage.db.sqlite.database import SqliteDatabase
from app.storage.operations.erasures.traces import clean_spool, scan_files

ADA = make_forms("447700900123", "GB")
OPEN_AND_CLOSE = (
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
    " db.execute('SELECT * FROM t').fetchall(); db.close()"
)


def open_elsewhere(path: Path) -> None:
    """As another command of Letterbox's does while a service runs."""
    subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, str(path)], check=True, timeout=60)


async def test_another_program_leaves_the_journal_of_a_scanned_database_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "letterbox.sqlite3"
    database = SqliteDatabase(path)
    try:
        await database.write(lambda conn: conn.execute(text("CREATE TABLE t (a)")).rowcount)
        await database.write(
            lambda conn: conn.execute(text("INSERT INTO t VALUES ('07700 900123')")).rowcount
        )
        assert scan_files(database.files, ADA).traces
        open_elsewhere(path)
        assert path.with_name(f"{path.name}-wal").exists()
    finally:
        await database.close()


def test_a_spool_that_is_open_keeps_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "spool" / "a.1.sqlite3"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES ('447700900123')")
    connection.commit()
    assert clean_spool(path.parent, ADA).left
    open_elsewhere(path)
    assert path.with_name(f"{path.name}-wal").exists()
    connection.close()


def test_what_is_not_there_holds_nothing_and_what_cannot_be_read_is_an_error(
    tmp_path: Path,
) -> None:
    assert scan_files([tmp_path / "none"], ADA).traces == 0
    with pytest.raises(OSError, match="cannot be read"):
        scan_files([tmp_path], ADA)
