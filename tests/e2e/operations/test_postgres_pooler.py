"""The whole service through a pgbouncer that hands out the server's sessions by transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg

from tests.e2e.following import following
from tests.e2e.load import sending
from tests.e2e.sendings import OURS, PER_TURN, Sendings, providing
from tests.e2e.stores import PostgresStore, check_kept_once, check_order
from tests.support.service import find_free_port, run_command, running, wait_until
from tests.support.storage.pgbouncer import pooling

POOL = 4


@asynccontextmanager
async def holding_all(url: str) -> AsyncIterator[None]:
    """Other clients have every session of the pool in a transaction."""
    others = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(POOL)]
    for each in others:
        await each.execute("BEGIN")
    try:
        yield
    finally:
        for each in others:
            await each.execute("ROLLBACK")
            await each.close()


def test_serve_and_work_run_through_it_full_and_restarted(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    store, port, data = postgres_store, find_free_port(), tmp_path / "data"
    url = f"postgresql://postgres@127.0.0.1:{port}/{store.name}"
    with providing() as provider, ExitStack() as stack:
        pool = stack.enter_context(ExitStack())
        start = pooling(store.server, tmp_path / "p1", "transaction", pool_size=POOL, port=port)
        pool.enter_context(start)
        sendings = Sendings(store, provider)
        settings = {"database_url": url, **provider.settings}
        service = stack.enter_context(running(data, run_workers="false", **settings))
        work = running(tmp_path / "work", "work", wait=False, **settings)
        worker = stack.enter_context(work)
        heard = stack.enter_context(following(service))
        sendings.ask_for_answers(service, 5)
        sendings.queue(service, PER_TURN, numbers=40)
        with sending(service.port, senders=4, pause_seconds=0.02) as load:
            load.wait_for(20)
            asyncio.run(hold_while(url, lambda: load.wait_for(40)))
            load.wait_for(20)
            pool.close()
            load.wait_for(40)
            stack.enter_context(
                pooling(store.server, tmp_path / "p2", "transaction", pool_size=POOL, port=port)
            )
            load.wait_for(20)
        assert load.count() == len(load.forwards)
        wait_until(lambda: service.ask("/readyz").json["spool"]["status"] == "ok")
        sendings.settle_all(service, seconds=60)
        sendings.check_each_went_out_once()
        # By the worker's process, and heard without LISTEN.
        wait_until(lambda: any('"status":"delivered"' in each.replace(" ", "") for each in heard))
        ours = [row[0] for row in store.fetch(f"SELECT id FROM messages WHERE dest = '{OURS}'")]
        assert len(ours) == 5
        store.execute(f"DELETE FROM messages WHERE dest = '{OURS}'")
        check_kept_once(store, load.forwards)
        check_order(store, load.forwards)
        refused = run_command(data, "backup", str(tmp_path / "copy"), database_url=url)
        assert refused.returncode == 1
        assert "name PostgreSQL itself" in refused.stderr
        direct = run_command(data, "backup", str(tmp_path / "copy"), database_url=store.url)
        assert direct.returncode == 0 or "server version mismatch" in direct.stderr, direct.stderr
        for each in (service, worker):
            assert "prepared statement" not in each.read_log()
            assert "Traceback" not in each.read_log()


async def hold_while(url: str, wait: Callable[[], None]) -> None:
    async with holding_all(url):
        await asyncio.to_thread(wait)
