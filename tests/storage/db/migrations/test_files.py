"""A migration leaves a file whole, whenever it is killed."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from app.storage.db.migrate import MIGRATIONS, list_revisions, migrate
from app.storage.db.sqlite.database import SqliteDatabase
from tests.storage.db.migrations.old_rows import upgrade_to


def read_sqlite(path: Path) -> tuple[str, set[str]]:
    """The revision of a sound file and its tables."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT name FROM shared_secrets").fetchall() == [("kept",)]
        [(revision,)] = connection.execute("SELECT version_num FROM alembic_version")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return revision, {name for (name,) in tables}


@pytest.mark.slow
async def test_a_migration_that_is_killed_leaves_the_old_file_and_the_next_start_carries_on(
    tmp_path: Path,
) -> None:
    path, killed = tmp_path / "letterbox.sqlite3", tmp_path / "killed"
    killed.mkdir()
    database = SqliteDatabase(path)
    await database.write_at_length(partial(upgrade_to, "0001"))
    keep = text("INSERT INTO shared_secrets VALUES ('kept', x'01')")
    await database.write(lambda conn: conn.execute(keep).rowcount)
    await database.close()
    old = read_sqlite(path)
    runs = [
        sys.executable,
        "-m",
        "tests.support.storage.killed_migration",
        str(path),
        str(killed),
        "9",
    ]
    done = await asyncio.to_thread(
        lambda: subprocess.run(
            runs, cwd=MIGRATIONS.parent, timeout=300, capture_output=True, text=True
        )
    )
    assert done.returncode == 0, done.stderr
    places = sorted(killed.iterdir(), key=lambda place: int(place.name))
    assert len(places) > 5
    for place in places:
        found = read_sqlite(place / path.name)
        assert (found == old) is (place is not places[-1])
        database = SqliteDatabase(place / path.name, is_owner=True)
        assert await migrate(database) == (list_revisions()[-1] if found == old else None)
        await database.close()
        assert read_sqlite(place / path.name)[0] == list_revisions()[-1]
        copies = sorted(place.glob("*before-migration*"))
        assert [read_sqlite(copy) for copy in copies] == [old]


async def test_a_copy_that_was_cut_off_is_made_anew_before_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sqlite3"
    database = SqliteDatabase(path)
    await database.write_at_length(partial(upgrade_to, "0001"))
    copy = path.with_name(f"{path.name}.before-migration-from-0001")
    cut_off = copy.with_name(f"{copy.name}.unfinished")
    cut_off.write_bytes(path.read_bytes()[:5000])
    assert await migrate(database) == list_revisions()[-1]
    await database.close()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not cut_off.exists()
