"""The SQLite file: nobody else on the machine reads it, whatever folder it lies in."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.storage.db.sqlite.database import SqliteDatabase


@pytest.fixture
def open_umask() -> Iterator[None]:
    """As where files are for everybody unless somebody says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def read_modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.usefixtures("open_umask")
async def test_the_file_and_those_beside_it_are_for_nobody_else(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "letterbox.sqlite3")
    try:
        await database.write(lambda conn: conn.execute(text("CREATE TABLE t (a)")).rowcount)
        files = read_modes(tmp_path)
    finally:
        await database.close()
    names = ("letterbox.sqlite3", "letterbox.sqlite3-shm", "letterbox.sqlite3-wal")
    assert files == dict.fromkeys(names, 0o600)
