"""Alerts that several processes raise at once, on both databases."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.storage.access.audit import add_audit
from app.storage.db.database import Database, open_database
from app.storage.operations.alerts import Alert, close_alert, list_alerts, raise_alert
from app.storage.operations.events import read_events
from tests.support.clock import NOW

RAISERS = 6


def open_again(url: str) -> Database:
    """As another process opens it."""
    return open_database(url, Path(url.removeprefix("sqlite:///")), busy_timeout_seconds=5)


def raise_it(conn: Connection, who: str = "one", count: int = 1) -> None:
    """Beside something else that the caller's transaction writes."""
    add_audit(conn, who, "test", "", {}, NOW)
    raise_alert(conn, "disk", "here", text=f"Full, says {who}.", action="?", now=NOW, count=count)


async def read_alerts(database: Database) -> list[Alert]:
    return await database.read(list_alerts, before=None, limit=10)


async def count_audit(database: Database) -> int:
    def count(conn: Connection) -> Any:
        return conn.exec_driver_sql("SELECT count(*) FROM audit WHERE action = 'test'").scalar()

    return int(await database.read(count))


async def test_an_alert_that_many_raise_at_once_is_one_and_spoils_no_transaction(
    database_url: str,
) -> None:
    databases = [open_again(database_url) for _ in range(RAISERS)]
    raises = (each.write(raise_it, str(at)) for at, each in enumerate(databases))
    async with asyncio.timeout(30):
        await asyncio.gather(*raises)
    [alert] = await read_alerts(databases[0])
    assert (alert.kind, alert.count, alert.closed_at) == ("disk", RAISERS, None)
    assert await count_audit(databases[0]) == RAISERS
    for each in databases:
        await each.close()


async def test_an_alert_that_another_process_is_opening_is_counted_once_that_commits(
    postgres_url: str,
) -> None:
    first, second = open_again(postgres_url), open_again(postgres_url)
    looked = asyncio.Event()

    async def open_slowly() -> None:
        def run(conn: Connection) -> None:
            raise_it(conn, "first")
            looked.set()
            conn.exec_driver_sql("SELECT pg_sleep(0.3)")

        await first.write(run)

    opening = asyncio.create_task(open_slowly())
    async with asyncio.timeout(30):
        await looked.wait()
        await second.write(raise_it, "second", 4)
        await opening
    [alert] = await read_alerts(second)
    assert (alert.count, alert.text) == (5, "Full, says second.")
    assert await count_audit(second) == 2
    for each in (first, second):
        await each.close()


async def test_an_alert_that_comes_again_after_its_end_is_a_new_one(database_url: str) -> None:
    database = open_again(database_url)
    await database.write(raise_it)
    await database.write(raise_it)
    later = NOW + timedelta(minutes=1)
    await database.write(close_alert, "disk", "here", now=later)
    await database.write(raise_it)
    newer, older = await read_alerts(database)
    assert (older.count, older.closed_at, newer.count, newer.closed_at) == (2, later, 1, None)
    # Opened, closed, opened: counting again is no event.
    events = await database.read(read_events, after=0, limit=10)
    assert [each.subject_id for each in events] == [older.id, older.id, newer.id]
    await database.close()
