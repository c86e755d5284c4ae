"""Reads on PostgreSQL: each statement by itself, unless somebody asks for a transaction."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.storage.db.database import Database, begin_transaction, open_database
from app.storage.operations.leases import take_lease
from tests.support.clock import NOW


@pytest_asyncio.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """Its reads and writes, one after another, use the same connection."""
    opened = open_database(postgres_url, Path())
    yield opened
    await opened.close()


def read_begins(conn: Connection) -> list[object]:
    """When the transaction of each of two statements began."""
    ask = "SELECT transaction_timestamp()"
    return [conn.exec_driver_sql(ask).scalar() for _ in range(2)]


def read_setting(conn: Connection) -> object:
    return conn.exec_driver_sql("SHOW work_mem").scalar()


def change_setting(conn: Connection) -> object:
    begin_transaction(conn)
    conn.exec_driver_sql("SET LOCAL work_mem = '12345kB'")
    return read_setting(conn)


async def test_statements_of_a_read_share_no_transaction_until_one_begins(
    database: Database,
) -> None:
    def read(conn: Connection) -> list[object]:
        before = read_begins(conn)
        begin_transaction(conn)
        return [*before, *read_begins(conn)]

    first, second, third, fourth = await database.read(read)
    assert first != second != third
    assert third == fourth


async def test_a_setting_of_a_read_is_gone_with_it(database: Database) -> None:
    usual = await database.read(read_setting)
    assert await database.read(change_setting) == "12345kB"
    assert await database.read(read_setting) == usual
    before, after = await database.read(read_begins)
    assert before != after


@pytest.mark.parametrize("begins", [True, False])
async def test_a_read_that_fails_leaves_the_connection_as_it_was(
    database: Database, begins: bool
) -> None:
    def fail(conn: Connection) -> None:
        if begins:
            change_setting(conn)
        conn.exec_driver_sql("SELECT 1 / 0")

    usual = await database.read(read_setting)
    with pytest.raises(DBAPIError):
        await database.read(fail)
    assert await database.read(read_setting) == usual
    assert await database.write(read_setting) == usual


async def test_a_write_after_a_read_is_all_or_nothing(database: Database) -> None:
    def write(conn: Connection) -> None:
        assert take_lease(conn, "x", "me", seconds=9, now=NOW)
        conn.exec_driver_sql("SELECT 1 / 0")

    await database.read(read_begins)
    with pytest.raises(DBAPIError):
        await database.write(write)
    assert await database.write(take_lease, "x", "somebody else", seconds=9, now=NOW)
    begun, still = await database.write(read_begins)
    assert begun == still
