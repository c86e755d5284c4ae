"""Leases on both databases: who holds one works alone, and stops when it is lost."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from app.domain.errors import Unavailable
from app.flows.operations.processes import leader
from app.flows.operations.processes.leader import take_turn
from app.storage.db.database import Database, open_database
from app.storage.operations.leases import find_last_success, take_lease
from tests.support.clock import NOW


@pytest.fixture
def database(database_url: str) -> Database:
    return open_database(database_url, Path(database_url.removeprefix("sqlite:///")))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "RENEWED_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(leader, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(leader, "MARGIN_SECONDS", 0.1)


class Clock:
    """Goes with the real time, from NOW on."""

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()

    def __call__(self) -> Any:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time() - self._began)


def steal(conn: Connection) -> None:
    """As another process may once the lease is over."""
    conn.exec_driver_sql("UPDATE leases SET holder = 'another'")


async def test_one_at_a_time_and_the_time_of_its_success_is_noted(database: Database) -> None:
    now = Clock()
    async with take_turn(database, "x", now=now) as first:
        async with take_turn(database, "x", now=now) as second:
            pass
        assert await database.read(find_last_success, "x") is None
    async with take_turn(database, "x", now=now) as third:
        pass
    assert (bool(first), second, bool(third)) == (True, None, True)
    assert await database.read(find_last_success, "x") is not None
    await database.close()


async def test_a_turn_goes_on_for_as_long_as_its_lease_is_renewed(database: Database) -> None:
    now = Clock()
    async with take_turn(database, "x", now=now) as is_mine:
        await asyncio.sleep(1.2)
        assert is_mine
        assert not await database.write(take_lease, "x", "another", seconds=1, now=now())
    await database.close()


async def test_a_turn_whose_lease_is_lost_ends_at_once(database: Database) -> None:
    went_on = False

    async def work() -> None:
        nonlocal went_on
        async with take_turn(database, "x", now=Clock()):
            await database.write(steal)
            await asyncio.sleep(5)
            went_on = True

    with pytest.raises(Unavailable, match="lost"):
        await work()
    assert not went_on
    assert await database.read(find_last_success, "x") is None
    # The other's lease is left alone.
    assert not await database.write(take_lease, "x", "third", seconds=1, now=NOW)
    await database.close()


async def test_a_turn_whose_lease_cannot_be_renewed_ends_before_it_is_over(
    database: Database,
) -> None:
    def break_renewing(conn: Connection) -> None:
        conn.exec_driver_sql("ALTER TABLE leases RENAME TO gone")

    def mend(conn: Connection) -> None:
        conn.exec_driver_sql("ALTER TABLE gone RENAME TO leases")

    went_on = False

    async def work() -> None:
        nonlocal went_on
        async with take_turn(database, "x", now=Clock()):
            await database.write(break_renewing)
            try:
                await asyncio.sleep(5)
                went_on = True
            finally:
                await database.write(mend)

    with pytest.raises(Unavailable, match="lost"):
        await work()
    assert not went_on
    await database.close()


async def test_the_blocks_own_timeout_stays_one(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with take_turn(database, "x", now=Clock()):
            raise TimeoutError("a call")
    await database.close()
