"""A real standby that is promoted while the old primary stays reachable."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.domain.errors import Unavailable
from app.storage.db.database import Connection, Database, open_database
from app.storage.db.migrate import migrate
from app.storage.db.postgres.connector import Connector
from app.storage.db.postgres.servers import Servers
from app.storage.inbound.inbound import Inserter, make_inserter
from tests.support.clock import NOW
from tests.support.messages import make_message
from tests.support.storage.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="module")
def primary() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        server.execute("CREATE ROLE plain LOGIN")
        yield server


@pytest.fixture
def name(primary: PostgresServer) -> str:
    """A database that an ordinary account owns."""
    name = f"failover_{uuid4().hex}"
    primary.create_database(name)
    primary.execute(f"ALTER DATABASE {name} OWNER TO plain")
    primary.execute("ALTER SCHEMA public OWNER TO plain", database=name)
    return name


@pytest.fixture
def standby(primary: PostgresServer, name: str) -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.follow(primary)
        server.start()
        yield server
    finally:
        server.close()


def name_both(primary: PostgresServer, standby: PostgresServer, name: str) -> str:
    return f"postgresql://plain@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{name}"


def find_port(conn: Connection) -> Any:
    return conn.exec_driver_sql("SELECT inet_server_port()").scalar()


async def store(inserter: Inserter, number: int) -> None:
    await inserter.insert([make_message(number)], NOW)


def count(server: PostgresServer, name: str) -> int:
    return int(server.fetch("SELECT count(*) FROM messages", database=name)[0][0])


async def test_after_a_failover_everything_goes_to_the_new_primary_alone(
    primary: PostgresServer, standby: PostgresServer, name: str, tmp_path: Path
) -> None:
    url, servers = name_both(primary, standby, name), tmp_path / "servers.json"
    database = open_database(url, Path(), servers=servers)
    inserter = make_inserter(database)
    await migrate(database)
    await store(inserter, 1)
    assert await database.read(find_port) == primary.port
    while not standby.fetch("SELECT 1 FROM messages", database=name):  # noqa: ASYNC110
        await asyncio.sleep(0.05)

    await asyncio.to_thread(standby.promote)
    # Both can be written to, and nobody has told us.
    await database.look_for_failover()
    await store(inserter, 2)
    await store(inserter, 3)
    assert await database.read(find_port) == standby.port
    assert (count(primary, name), count(standby, name)) == (1, 3)

    # One that starts later and remembers nothing looks first.
    fresh = open_database(url, Path())
    await fresh.look_for_failover()
    assert await fresh.read(find_port) == standby.port
    await fresh.close()

    # One that starts later knows it from the file, and asks the old one in vain.
    later = open_database(url, Path(), servers=servers)
    assert await later.read(find_port) == standby.port
    old = f"postgresql://plain@127.0.0.1:{primary.port}/{name}"
    lost = open_database(old, Path(), servers=servers)
    with pytest.raises(Unavailable, match="timeline"):
        await lost.write(find_port)
    with pytest.raises(Unavailable, match="timeline"):
        await store(make_inserter(lost), 4)
    assert count(primary, name) == 1
    inserter.abandon()
    for each in (database, later, lost):
        await each.close()


async def test_a_second_failover_back_to_a_renewed_server_is_followed(
    primary: PostgresServer, standby: PostgresServer, name: str, tmp_path: Path
) -> None:
    renewed = PostgresServer()
    url = f"{name_both(primary, standby, name)}".replace("/" + name, f",127.0.0.1:{renewed.port}/")
    database = open_database(url + name, Path(), servers=tmp_path / "servers.json")
    try:
        await asyncio.to_thread(standby.promote)
        assert await database.read(find_port) == standby.port
        await asyncio.to_thread(renewed.follow, standby)
        await asyncio.to_thread(renewed.start)
        await asyncio.to_thread(renewed.promote)
        await database.look_for_failover()
        assert await database.read(find_port) == renewed.port
    finally:
        await database.close()
        renewed.close()


async def test_what_is_connected_to_an_old_primary_lets_go_once_another_process_knows(
    primary: PostgresServer, standby: PostgresServer, name: str, tmp_path: Path
) -> None:
    servers = tmp_path / "servers.json"
    old = f"postgresql://plain@127.0.0.1:{primary.port}/{name}"
    new = f"postgresql://plain@127.0.0.1:{standby.port}/{name}"
    database: Database = open_database(old, Path(), servers=servers)
    inserter = make_inserter(database)
    await migrate(database)
    await store(inserter, 1)
    while not standby.fetch("SELECT 1 FROM messages", database=name):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.to_thread(standby.promote)
    other = open_database(new, Path(), servers=servers)
    await other.read(find_port)
    await database.look_for_failover()
    with pytest.raises(Unavailable, match="timeline"):
        await store(inserter, 2)
    with pytest.raises(Unavailable, match="timeline"):
        await database.read(find_port)
    assert count(primary, name) == 1
    for each in (database, other):
        await each.close()


async def test_a_server_that_keeps_its_identity_is_used_without_it(
    primary: PostgresServer, name: str, tmp_path: Path
) -> None:
    primary.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", database=name)
    servers = tmp_path / "servers.json"
    url = f"postgresql://plain@127.0.0.1:{primary.port}/{name}"
    database = open_database(url, Path(), servers=servers)
    assert await database.read(find_port) == primary.port
    assert not servers.exists()
    await database.close()


async def test_a_dead_server_before_the_new_one_does_not_hinder(
    primary: PostgresServer, name: str
) -> None:
    connector = Connector(
        f"postgresql://plain@127.0.0.1:1,127.0.0.1:{primary.port}/{name}", Servers("x")
    )
    connection = await connector.connect()
    assert await connection.fetchval("SELECT inet_server_port()") == primary.port
    connector.abandon()
    with pytest.raises(Unavailable):
        await connector.connect()
