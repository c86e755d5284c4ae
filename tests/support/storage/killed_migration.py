"""`python -m tests.support.storage.killed_migration OLD FOLDER STEP`: migrations killed half-way.

Each STEPth statement of migrating the SQLite file OLD, and the commit, is one where a process of
its own is killed; what each leaves lies in FOLDER/<number>/. The last one comes to its end.
"""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

# Imported here, once for all the processes that are forked.
from alembic import command, config  # noqa: F401
from sqlalchemy import Engine, event

from app.storage.db.migrate import migrate
from app.storage.db.sqlite.database import SqliteDatabase


async def run(path: Path) -> None:
    database = SqliteDatabase(path, is_owner=True)
    try:
        await migrate(database)
    finally:
        await database.close()


def run_until(path: Path, statement: int) -> None:
    left = statement

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    asyncio.run(run(path))


def main() -> None:
    old, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    statement, killed = 0, True
    while killed:
        place = folder / str(statement)
        place.mkdir()
        shutil.copy(old, place)
        child = os.fork()
        if child == 0:
            run_until(place / old.name, statement)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        if not killed and status:
            raise SystemExit(f"the migration failed at {statement}")
        statement += step


if __name__ == "__main__":
    main()
