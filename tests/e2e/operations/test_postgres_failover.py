"""The primary dies or hangs under load, and a standby is promoted: two real servers."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import make_template
from tests.e2e.following import following
from tests.e2e.load import sending
from tests.e2e.sendings import PER_TURN, Sendings, providing
from tests.e2e.stores import PostgresStore, check_kept_once, check_order
from tests.support.service import Service, running, wait_until
from tests.support.storage.postgres import PostgresServer

# After the promotion; on a machine at rest it is a second where the primary is gone, and as long
# as a look at all servers takes where it hangs.
RECOVERY_SECONDS = 20.0


@dataclass
class Pair:
    """A primary whose commits wait for its standby."""

    primary: PostgresServer
    standby: PostgresServer
    store: PostgresStore

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in (self.primary, self.standby))
        return f"postgresql://postgres@{hosts}/{self.store.name}?target_session_attrs=read-write"

    def promote(self) -> None:
        self.standby.promote()
        self.store.server = self.standby


@pytest.fixture
def pair() -> Iterator[Pair]:
    primary, standby = PostgresServer(), PostgresServer()
    try:
        primary.start()
        store = PostgresStore(primary, "failover", make_template(primary))
        standby.follow(primary)
        standby.start()
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        in_step = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: bool(primary.fetch(in_step)), what="synchronous replication")
        yield Pair(primary, standby, store)
    finally:
        primary.close()
        standby.close()


@pytest.mark.parametrize("end", ["killed", "hanging"])
def test_every_acknowledged_text_is_in_the_promoted_server_once(
    pair: Pair, tmp_path: Path, end: str
) -> None:
    with providing() as provider:
        sendings = Sendings(pair.store, provider)
        settings = {"database_url": pair.url, "send_per_second": 40, **provider.settings}
        web = running(tmp_path / "web", run_workers="false", **settings)
        work = running(tmp_path / "work", "work", wait=False, **settings)
        with web as service, work as worker, following(service) as heard:
            wait_until(lambda: "working" in worker.read_log(), what=worker.log)
            sendings.queue(service, 2 * PER_TURN, numbers=40)
            with sending(service.port, senders=4, pause_seconds=0.02) as load:
                load.wait_for(30)
                pair.primary.kill() if end == "killed" else pair.primary.pause()
                load.wait_for(30)
                pair.promote()
                recovery = measure_recovery(service)
                load.wait_for(30)
            assert load.count() == len(load.forwards)
            assert recovery < RECOVERY_SECONDS
            wait_until(lambda: is_drained(service), what=service.log)
            check_kept_once(pair.store, load.forwards)
            check_order(pair.store, load.forwards)
            check_old_primary_is_refused(pair, service)
            wait_until(lambda: any("after the failover" in line for line in heard))
            sendings.end_leases()
            sendings.settle_all(service, seconds=40)
            sendings.check_each_went_out_once()
            assert "Traceback" not in service.read_log() + worker.read_log()
        print(f"{end}: {len(load.forwards)} texts, stored again {recovery:.1f} s after promotion")


def measure_recovery(service: Service) -> float:
    promoted_at = time.monotonic()
    wait_until(lambda: is_drained(service), what=service.log)
    return time.monotonic() - promoted_at


def is_drained(service: Service) -> bool:
    return bool(service.ask("/readyz").json["spool"]["status"] == "ok")


def check_old_primary_is_refused(pair: Pair, service: Service) -> None:
    """It comes back as a primary that takes writes, and gets none."""
    pair.primary.resume() if pair.primary.is_running else pair.primary.start()
    found = pair.primary.fetch("SELECT count(*), pg_is_in_recovery() FROM messages", "failover")
    before = pair.store.count()
    assert service.forward("late", msg="after the failover").status == 200
    wait_until(lambda: pair.store.count() == before + 1, what=service.log)
    query = "SELECT count(*), pg_is_in_recovery() FROM messages"
    assert pair.primary.fetch(query, "failover") == found
    assert not found[0][1]
