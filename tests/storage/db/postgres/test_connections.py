"""Connections to PostgreSQL that end while nobody uses them."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
from sqlalchemy import text

from app.domain.errors import DatabaseAway, Unavailable
from app.storage.db.database import Connection, open_database
from app.storage.db.postgres.connector import Connector
from app.storage.db.postgres.servers import Servers
from tests.e2e.relay import relaying

IDS = text("SELECT pg_backend_pid(), pg_sleep(0.05)")
END_OTHERS = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_those_that_the_server_closed_are_made_anew(postgres_url: str) -> None:
    database, other = (open_database(postgres_url, Path()) for _ in range(2))

    def find_pid(conn: Connection) -> int:
        return int(conn.execute(IDS).scalar_one())

    old = await asyncio.gather(*(database.read(find_pid) for _ in range(4)))
    backends = [psutil.Process(pid) for pid in old]
    await other.write(lambda conn: conn.execute(END_OTHERS).close())
    _, alive = await asyncio.to_thread(psutil.wait_procs, backends, 30)
    assert not alive
    await asyncio.sleep(0.05)  # their sockets are closed: the driver hears of it
    new = await asyncio.gather(*(database.read(find_pid) for _ in range(4)))
    assert not {*old} & {*new}
    await database.close()
    await other.close()


async def test_the_one_that_was_used_last_is_used_next(postgres_url: str) -> None:
    """It has prepared its statements; one that had its turn long ago may have to do so again."""
    database = open_database(postgres_url, Path())

    def find_pid(conn: Connection) -> int:
        return int(conn.execute(IDS).scalar_one())

    await asyncio.gather(*(database.read(find_pid) for _ in range(4)))
    alone = [await database.read(find_pid) for _ in range(4)]
    assert len({*alone}) == 1
    await database.close()


async def test_the_kernel_asks_whether_the_machine_is_still_there(postgres_url: str) -> None:
    """Else nobody would hear of a machine that went without a word, until something is sent."""
    connector = Connector(postgres_url, Servers("x"))
    connection = await connector.connect()
    found = connection._transport.get_extra_info("socket")
    tcp = {
        name: found.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    }
    assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert tcp == {
        "TCP_KEEPIDLE": 10,
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 25_000,
    }
    connector.abandon()


async def test_of_many_silent_connections_only_one_is_waited_for(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connector.connect, "__kwdefaults__", {"command_timeout": 0.5})
    parts = urlsplit(postgres_url)
    with relaying(parts.port or 5432) as relay:
        url = postgres_url.replace(f":{parts.port}", f":{relay.port}")
        database = open_database(url, Path())

        def find_pid(conn: Connection) -> int:
            return int(conn.execute(IDS).scalar_one())

        old = await asyncio.gather(*(database.read(find_pid) for _ in range(4)))
        relay.cut()
        with pytest.raises(DatabaseAway, match="does not answer in time: look at"):
            await database.read(find_pid)
        relay.mend()
        assert await database.read(find_pid) not in old
        await database.close()


async def test_a_migration_may_take_longer_than_any_other_statement(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(conn: Connection) -> object:
        return conn.exec_driver_sql("SELECT pg_sleep(0.6), 'done'").one()[1]

    options = Connector.connect.__kwdefaults__
    assert options is not None
    monkeypatch.setitem(options, "command_timeout", 0.2)
    database = open_database(postgres_url, Path())
    with pytest.raises(Unavailable):
        await database.write(sleep)
    assert await database.write_at_length(sleep) == "done"
    await database.close()
