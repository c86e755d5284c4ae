"""How long a SQLite file is looked through for damage."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.storage.db.sqlite.file import SqliteFile

# Looking through it takes some tenths of a second.
ROWS, PAGE = 300_000, 4096
# On a busy machine the timer's thread may come too late, but not every time.
TRIES = 20
FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO large SELECT zeroblob(200) FROM numbers
"""


def test_a_large_file_is_looked_through_for_as_long_as_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "large.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE large (body BLOB)")
        connection.execute(FILL, (ROWS,))
        connection.commit()
    with path.open("r+b") as file:
        # Trees are looked through from their end.
        file.seek(9 * PAGE)
        file.write(b"\xff" * PAGE)
    checked = SqliteFile(path)
    with pytest.raises(sqlite3.DatabaseError):
        checked.check(seconds=60)
    assert any(ends_in_time(checked) for _ in range(TRIES))


def ends_in_time(checked: SqliteFile) -> bool:
    """Whether the check ends before it has reached the damage."""
    try:
        return checked.check(seconds=0.001) is None
    except sqlite3.DatabaseError:
        return False
