"""Tests of the tests' own PostgreSQL, with each of this machine's usable installations."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.support.storage.postgres import PostgresServer, running_postgres
from tests.support.storage.postgres_place import (
    BINARIES_VARIABLE,
    PostgresUnavailableError,
    find_binaries,
    usable_binaries,
)

# One worker, or each would start a server for each installation.
pytestmark = pytest.mark.xdist_group("postgres-support")


@pytest.fixture(scope="module", params=usable_binaries() or [find_binaries()], ids=str)
def binaries(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


@pytest.fixture(scope="module")
def server(binaries: Path) -> Iterator[PostgresServer]:
    with running_postgres(binaries=binaries) as started:
        yield started


def test_it_offers_trigrams_and_folds_case_beyond_ascii(server: PostgresServer) -> None:
    server.create_database("text")
    server.execute("CREATE EXTENSION pg_trgm", "text")
    assert server.fetch("SELECT 'ÄRGER' ILIKE '%ärg%'", "text") == [(True,)]
    assert server.fetch("SHOW fsync") == [("off",)]


async def test_it_runs_sql_inside_a_running_event_loop(server: PostgresServer) -> None:
    server.execute("CREATE TABLE letters (n int); INSERT INTO letters VALUES (7)")
    connection = await asyncpg.connect(server.url())
    assert await connection.fetchval("SELECT n FROM letters") == 7
    await connection.close()


def test_a_database_made_from_a_template_is_its_own_copy(server: PostgresServer) -> None:
    server.create_database("migrated")
    server.execute("CREATE TABLE t (n int)", "migrated")
    server.create_database("copy", template="migrated")
    server.execute("INSERT INTO t VALUES (1)", "copy")
    assert server.fetch("SELECT count(*) FROM t", "migrated") == [(0,)]
    server.drop_database("copy")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        server.fetch("SELECT 1", "copy")


def test_a_crash_keeps_committed_rows_and_the_address(binaries: Path) -> None:
    with running_postgres(binaries=binaries, durable=True) as server:
        assert server.fetch("SHOW fsync") == [("on",)]
        url = server.url()
        server.execute("CREATE TABLE t (n int)")
        server.execute("INSERT INTO t VALUES (42)")
        server.kill()
        assert not server.is_running
        with pytest.raises(OSError, match="Connect call failed"):
            server.fetch("SELECT 1")
        server.start()
        assert server.url() == url
        assert server.fetch("SELECT n FROM t") == [(42,)]


def test_closing_leaves_no_process_and_no_data(binaries: Path) -> None:
    with running_postgres(binaries=binaries) as server:
        data = Path(str(server.fetch("SHOW data_directory")[0][0]))
        processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
        assert data.exists()
    assert not data.exists()
    assert not server.log_path.exists()
    ended = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    assert all(not p.is_running() or p.status() in ended for p in processes)


async def test_a_paused_server_answers_nothing_until_it_resumes(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url())
    server.pause()
    with pytest.raises(TimeoutError):
        server.fetch("SELECT 1", timeout_seconds=0.2)
    server.resume()
    assert await connection.fetchval("SELECT 1", timeout=5) == 1
    await connection.close()
    assert server.fetch("SELECT 1") == [(1,)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_it_restarts_in_each_mode_even_when_paused(server: PostgresServer, mode: str) -> None:
    before = server.pid
    server.pause()
    server.restart("fast" if mode == "fast" else "immediate")
    assert server.pid != before
    assert server.fetch("SELECT 1") == [(1,)]


def test_a_chosen_folder_without_postgresql_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(BINARIES_VARIABLE, str(tmp_path))
    with pytest.raises(PostgresUnavailableError, match=str(tmp_path)):
        find_binaries()
