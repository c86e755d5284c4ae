"""Others write to the SQLite file, or empty its journal, while it is open."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from app.domain.errors import Unavailable
from app.storage.db.migrate import migrate
from app.storage.db.sqlite.database import SqliteDatabase


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(path, is_owner=True)
    try:
        await migrate(database)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def opened_with_journal(path: Path) -> AsyncIterator[SqliteDatabase]:
    """Of two rows, one is in the file and one only in its journal."""
    async with opened(path) as database:
        await add(database, "in the file")
    async with opened(path) as database:
        await add(database, "in the journal")
        yield database


async def add(database: SqliteDatabase, name: str) -> None:
    def insert(connection: Connection) -> None:
        statement = text("INSERT INTO shared_secrets (name, digest) VALUES (:name, :digest)")
        connection.execute(statement, {"name": name, "digest": b"y" * 9_000})

    await database.write(insert)


def list_names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [
            name for (name,) in connection.execute("SELECT name FROM shared_secrets ORDER BY rowid")
        ]


def find_wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


async def test_an_emptied_journal_takes_what_was_only_there_and_spoils_nothing_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "letterbox.sqlite3"
    async with opened_with_journal(path) as database:
        os.truncate(find_wal(path), 0)
        with pytest.raises(Unavailable, match="being examined"):
            database.look(for_messages=True)
        await database.mend()
        assert [*filter(is_emptied, database.take_faults())]
        await add(database, "afterwards")
        assert database.look(for_messages=True)
        assert database.fault is None
    assert list_names(path) == ["in the file", "afterwards"]


async def test_a_checkpoint_of_another_program_is_told_in_the_middle_of_it(tmp_path: Path) -> None:
    """Its first page, with a new count of pages, is written before the file grows."""
    path = tmp_path / "letterbox.sqlite3"
    async with opened_with_journal(path) as database:
        with path.open("r+b") as file:
            file.seek(28)
            pages = int.from_bytes(file.read(4), "big")
            file.seek(28)
            file.write((pages + 100).to_bytes(4, "big"))
        os.utime(path, ns=(1, 1))  # the system's clock of files may not have ticked
        assert database.look()
        with pytest.raises(Unavailable, match="being examined"):
            database.look(for_messages=True)
        with path.open("r+b") as file:
            file.seek(28)
            file.write(pages.to_bytes(4, "big"))
        await database.mend()
        assert database.look(for_messages=True)
        assert not database.take_faults()
    assert list_names(path) == ["in the file", "in the journal"]


async def test_a_journal_emptied_and_written_to_again_is_told_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sqlite3"
    async with opened_with_journal(path) as database:
        size = find_wal(path).stat().st_size
        os.truncate(find_wal(path), 0)
        with find_wal(path).open("r+b") as file:
            file.seek(size)
            file.write(b"\xa5" * 4_120)
        with pytest.raises(Unavailable, match="had its -wal file emptied"):
            database.look()
        with pytest.raises(Unavailable):
            await add(database, "refused")
        await database.mend()
        await add(database, "afterwards")
    assert list_names(path) == ["in the file", "afterwards"]


async def test_a_journal_emptied_just_before_the_end_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sqlite3"
    async with opened_with_journal(path):
        os.truncate(find_wal(path), 0)
    assert list_names(path) == ["in the file"]


@pytest.mark.parametrize("how", ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
async def test_a_checkpoint_by_another_program_loses_nothing_and_refuses_nobody(
    tmp_path: Path, how: str
) -> None:
    path = tmp_path / "letterbox.sqlite3"
    async with opened(path) as database:
        for number in range(30):
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute(f"PRAGMA wal_checkpoint({how})")
            await add(database, str(number))
        await look_into(database)
        assert database.look(for_messages=True)
        assert database.fault is None
    assert list_names(path) == [str(number) for number in range(30)]


async def test_a_checkpoint_by_another_program_after_half_a_one_of_ours_is_no_other_file(
    tmp_path: Path,
) -> None:
    """A reader keeps ours from writing the stamp to the file; the other program does it."""
    path = tmp_path / "letterbox.sqlite3"
    async with opened(path) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM shared_secrets").fetchall()
            await add(database, "seen by nobody yet")
            await database.writer.submit(database._checkpoint)
            reader.execute("COMMIT")
            reader.execute("PRAGMA wal_checkpoint(PASSIVE)")
        await add(database, "later")
        await look_into(database)
        assert database.look(for_messages=True)
    assert list_names(path) == ["seen by nobody yet", "later"]


def is_emptied(fault: str) -> bool:
    return "had its -wal file emptied" in fault


async def look_into(database: SqliteDatabase) -> None:
    try:
        database.look(for_messages=True)
    except Unavailable:
        await database.mend()
