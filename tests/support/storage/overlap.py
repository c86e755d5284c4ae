"""Two transactions at once on PostgreSQL."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.util import await_only

from app.storage.db.database import Connection, Database

Work = Callable[[Connection], Any]


async def overlap(database: Database, first: Work, second: Work) -> Any:
    """Begin the second while the first is done but not committed; what the second returns.

    The first commits once the second waits for a lock of it, or has ended.
    """
    done, commit = asyncio.Event(), asyncio.Event()

    def linger(conn: Connection) -> None:
        try:
            first(conn)
        finally:
            done.set()
        await_only(commit.wait())

    one = asyncio.create_task(database.write(linger))
    await done.wait()
    other = asyncio.create_task(database.write(second))
    while not (other.done() or await database.read(_is_one_waiting)):
        pass
    commit.set()
    await one
    return await other


def _is_one_waiting(conn: Connection) -> bool:
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(conn.execute(query).scalar_one())
