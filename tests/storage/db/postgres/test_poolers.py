"""A pgbouncer between us and PostgreSQL, in each of its modes."""

import asyncio
import contextlib
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection

from app.domain.errors import SetupError, Unavailable
from app.storage.db.database import open_database
from app.storage.inbound.inbound import make_inserter
from app.storage.operations.leases import take_lease
from app.storage.outbound.outbox import find_settled_end, hold_order, try_settled_end
from tests.support.clock import NOW
from tests.support.messages import make_message
from tests.support.service import run_command
from tests.support.storage.pgbouncer import pooling
from tests.support.storage.postgres import PostgresServer

ADVICE = {"statement": "pool_mode to transaction", "transaction": "ignore_startup_parameters"}


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


async def test_through_a_pooler_by_transaction_everything_works_and_nothing_is_left_behind(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    with pooling(postgres_server, tmp_path / "pool", "transaction", pool_size=3) as port:
        url = find_url(port, postgres_url)
        database, other = (open_database(url, Path()) for _ in range(2))
        inserter = make_inserter(database)
        both = (database, other) * 12
        for round_number in range(3):
            wanted = [make_message(round_number), make_message(round_number)]
            stored, *found = await asyncio.gather(
                inserter.insert(wanted, NOW), *(each.read(read_settings) for each in both)
            )
            assert (stored, set(found)) == (1, {("off", "off", "on", "5s")})
        await inserter.probe(NOW)
        assert await database.write(take_lease, "x", "me", seconds=1, now=NOW)
        assert not await other.write(take_lease, "x", "you", seconds=1, now=NOW)
        # As another program that shares the pool finds it.
        plain = await asyncpg.connect(url, statement_cache_size=0)
        for _ in range(5):
            left = await plain.fetchrow(
                "SELECT current_setting('enable_seqscan'), current_setting('lock_timeout'),"
                " current_setting('statement_timeout'),"
                " (SELECT count(*) FROM pg_prepared_statements),"
                " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                "  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
            )
            assert tuple(left) == ("on", "0", "0", 0, 0)
        await plain.close()
        inserter.abandon()
        await database.close()
        await other.close()


async def test_feeds_of_texts_through_a_pooler_let_go_of_their_lock(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    with pooling(postgres_server, tmp_path / "pool", "transaction", pool_size=2) as port:
        database = open_database(find_url(port, postgres_url), Path())
        for find in (find_settled_end, try_settled_end):
            ends = await asyncio.gather(*(database.read(find) for _ in range(6)))
            assert set(ends) <= {0, None}
            await database.write(hold_order)
        await database.close()


async def test_a_full_pool_makes_wait_and_a_restarted_pooler_is_found_again(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    with pooling(postgres_server, tmp_path / "pool", "transaction", pool_size=1) as port:
        url = find_url(port, postgres_url)
        database = open_database(url, Path())
        await database.read(read_settings)
        holder = await asyncpg.connect(url, statement_cache_size=0)
        await holder.execute("BEGIN")
        with pytest.raises(Unavailable):
            await database.read_within(0.2, read_settings)
        await holder.execute("ROLLBACK")
        assert await database.read(read_settings)
        holder.terminate()
    with pooling(postgres_server, tmp_path / "again", "transaction", port=port):
        with contextlib.suppress(Unavailable):  # what it was connected to is gone
            await database.read(read_settings)
        assert await database.read(read_settings)
    await database.close()


@pytest.mark.parametrize("mode", ["statement", "transaction"])
async def test_what_a_pooler_does_not_allow_is_told_with_what_to_do(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path, mode: str
) -> None:
    with pooling(postgres_server, tmp_path / "pool", mode) as port:
        url = find_url(port, postgres_url)
        options = "?options=-c%20statement_timeout%3D5s"
        database = open_database(url + (options if mode == "transaction" else ""), Path())
        with pytest.raises(SetupError, match=f"^LETTERBOX_DATABASE_URL: .*{ADVICE[mode]}"):
            await database.read(read_settings)
        await database.close()


@pytest.mark.parametrize("command", ["serve", "work", "migrate"])
def test_a_start_behind_a_pooler_by_statement_ends_with_one_line(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path, command: str
) -> None:
    with pooling(postgres_server, tmp_path / "pool", "statement") as port:
        url = find_url(port, postgres_url)
        ended = run_command(tmp_path / "data", command, port=0, database_url=url)
    assert ended.returncode == 1
    [line] = [each for each in ended.stderr.splitlines() if "pool" in each]
    assert line.startswith("letterbox: LETTERBOX_DATABASE_URL: ")
    assert "Traceback" not in ended.stderr
