"""A pgbouncer between us and PostgreSQL: sessions are needed, and their lack is told at once."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection

from app.domain.errors import SetupError
from app.storage.db.database import open_database
from app.storage.inbound.inbound import make_inserter
from app.storage.operations.leases import take_lease
from tests.support.clock import NOW
from tests.support.messages import make_message
from tests.support.service import run_command
from tests.support.storage.pgbouncer import pooling
from tests.support.storage.postgres import PostgresServer


def find_url(port: int, postgres_url: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/{postgres_url.rpartition('/')[2]}"


def read_settings(conn: Connection) -> tuple[str, ...]:
    names = ("jit", "enable_seqscan", "synchronous_commit", "lock_timeout")
    return tuple(str(conn.exec_driver_sql(f"SHOW {name}").scalar()) for name in names)


async def test_a_pooler_by_session_is_as_good_as_the_server(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    with pooling(postgres_server, tmp_path / "pool", "session") as port:
        database = open_database(find_url(port, postgres_url), Path())
        inserter = make_inserter(database)
        await inserter.insert([make_message(1)], NOW)
        found = await asyncio.gather(*(database.read(read_settings) for _ in range(4)))
        assert set(found) == {("off", "off", "on", "5s")}
        assert await database.write(take_lease, "x", "me", seconds=1, now=NOW)
        inserter.abandon()
        await database.close()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_by_transaction_or_statement_is_refused(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path, mode: str
) -> None:
    with pooling(postgres_server, tmp_path / "pool", mode) as port:
        database = open_database(find_url(port, postgres_url), Path())
        with pytest.raises(SetupError, match="pool_mode to session"):
            await database.read(read_settings)
        await database.close()
    # Nothing of ours is left behind in a session that others use next.
    direct = open_database(postgres_url, Path())
    await direct.close()


@pytest.mark.parametrize("command", ["serve", "work", "migrate"])
def test_a_start_behind_a_pooler_by_transaction_ends_with_one_line(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path, command: str
) -> None:
    with pooling(postgres_server, tmp_path / "pool", "transaction") as port:
        url = find_url(port, postgres_url)
        ended = run_command(tmp_path / "data", command, port=0, database_url=url)
    assert ended.returncode == 1
    [line] = [each for each in ended.stderr.splitlines() if "pool" in each]
    assert line.startswith("letterbox: LETTERBOX_DATABASE_URL: ")
    assert "Traceback" not in ended.stderr
