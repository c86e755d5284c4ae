"""What a start makes of a SQLite file that is not whole."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.errors import SetupError
from app.storage.db.migrate import migrate
from app.storage.db.sqlite.database import SqliteDatabase


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(path, is_owner=True)
    try:
        yield database
    finally:
        await database.close()


async def fill(path: Path, first: int, last: int) -> None:
    async with opened(path) as database:
        await migrate(database)
        for number in range(first, last):
            await database.write(
                lambda conn, key: (
                    conn.execute(
                        text("INSERT INTO shared_secrets (name, digest) VALUES (:name, :digest)"),
                        {"name": f"{key} {'x' * 400}", "digest": b"y" * 400},
                    ).rowcount
                ),
                number,
            )


async def leave_journal(path: Path, first: int, last: int) -> None:
    """As a process that was killed: what it committed last lies beside the file alone."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        for number in range(first, last):
            connection.execute(
                "INSERT INTO shared_secrets (name, digest) VALUES (?, ?)",
                (f"{number} {'x' * 400}", b"y" * 400),
            )
        copies = path.with_name("copies")
        copies.mkdir()
        for each in path.parent.glob(f"{path.name}*"):
            shutil.copy(each, copies)
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    for each in copies.iterdir():
        each.rename(path.parent / each.name)


async def test_a_backup_beside_a_journal_that_is_not_its_own_is_told_in_one_line(
    tmp_path: Path,
) -> None:
    path, backup = tmp_path / "letterbox.sqlite3", tmp_path / "backup"
    await fill(path, 0, 10)
    shutil.copy(path, backup)
    await fill(path, 10, 200)
    await leave_journal(path, 200, 320)
    shutil.copy(backup, path)
    before = path.read_bytes()
    async with opened(path) as database:
        with pytest.raises(
            SetupError, match=r"letterbox\.sqlite3-wal.*away and start again"
        ) as info:
            await migrate(database)
    assert "\n" not in str(info.value)
    assert path.read_bytes() == before
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).rename(tmp_path / f"away{ending}")
    async with opened(path) as database:
        assert await migrate(database) is None


async def test_a_journal_that_is_its_own_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sqlite3"
    await fill(path, 0, 10)
    await leave_journal(path, 10, 60)
    async with opened(path) as database:
        assert await migrate(database) is None
        count = text("SELECT count(*) FROM shared_secrets")
        assert await database.read(lambda conn: conn.execute(count).scalar_one()) == 60


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def spoil_pages(data: bytes) -> bytes:
    middle = len(data) // 8192 * 4096
    return data[:middle] + b"\xa5" * 8192 + data[middle + 8192 :]


def spoil_header(data: bytes) -> bytes:
    return b"not a database.." + data[16:]


@pytest.mark.parametrize("harm", [cut, spoil_pages, spoil_header])
async def test_a_damaged_file_is_told_in_one_line_and_left_as_it_is(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "letterbox.sqlite3"
    await fill(path, 0, 200)
    path.write_bytes(harm(path.read_bytes()))
    before = path.read_bytes()
    async with opened(path) as database:
        with pytest.raises(SetupError, match=r"is damaged \(.*put a sound copy") as info:
            await migrate(database)
    assert "\n" not in str(info.value)
    assert path.read_bytes() == before
