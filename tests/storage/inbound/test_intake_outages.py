"""The intake while its PostgreSQL is gone, hangs or takes no writes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.storage.db.database import open_database
from app.storage.db.migrate import migrate
from tests.storage.inbound.intakes import Kit, make_kit, wait_for
from tests.support.storage.postgres import PostgresServer


@pytest.fixture
async def postgres_kit(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> AsyncIterator[Kit]:
    database = open_database(postgres_url, tmp_path)
    await migrate(database)
    kit = make_kit(database, tmp_path / "spool")
    await kit.intake.start()
    await kit.intake.recover()
    yield kit
    await kit.intake.close()
    await database.close()


async def test_a_server_that_goes_and_comes_back_loses_and_doubles_nothing(
    postgres_kit: Kit, postgres_server: PostgresServer
) -> None:
    await postgres_kit.keep(1)
    postgres_server.stop("immediate")
    await postgres_kit.keep(2, 3)
    assert postgres_kit.intake.depth == 2
    postgres_server.start()
    await postgres_kit.keep(4)
    await wait_for(lambda: postgres_kit.intake.direct)
    await postgres_kit.keep(5)
    assert await postgres_kit.stored() == ["1", "2", "3", "4", "5"]


async def test_a_server_that_hangs_holds_up_nobody(
    postgres_kit: Kit, postgres_server: PostgresServer
) -> None:
    loop = asyncio.get_running_loop()
    postgres_server.pause()
    try:
        began = loop.time()
        await postgres_kit.keep(1)
        await postgres_kit.keep(2)
        # Two seconds is what the contract allows for one message.
        assert loop.time() - began < 2
        assert postgres_kit.intake.depth == 2
    finally:
        postgres_server.resume()
    await wait_for(lambda: postgres_kit.intake.direct)
    assert await postgres_kit.stored() == ["1", "2"]


async def test_a_server_that_turns_read_only_is_away(
    postgres_kit: Kit, postgres_server: PostgresServer
) -> None:
    await postgres_kit.keep(1)
    name = postgres_kit.database.dsn.rpartition("/")[2]  # type: ignore[attr-defined]
    postgres_server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    postgres_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    await postgres_kit.keep(2)
    assert postgres_kit.intake.depth == 1
    postgres_server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
    await wait_for(lambda: postgres_kit.intake.direct)
    assert await postgres_kit.stored() == ["1", "2"]


async def test_messages_that_arrive_during_a_drain_come_after_those_before(
    postgres_kit: Kit, postgres_server: PostgresServer
) -> None:
    postgres_server.stop("immediate")
    await postgres_kit.keep(1)
    for number in range(2, 400):
        await postgres_kit.keep(number)
    postgres_server.start()
    number = 400
    while not postgres_kit.intake.direct:
        await postgres_kit.keep(number)
        number += 1
    await postgres_kit.keep(number)
    stored = await postgres_kit.stored()
    assert stored == [str(each) for each in range(1, number + 1)][-500:]
