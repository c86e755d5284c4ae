"""The database gone in the ways that a stopped server does not show: the network, the disk, us."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import Scale
from tests.e2e.load import Load, sending
from tests.e2e.relay import relaying
from tests.e2e.small_disk import SmallDisk
from tests.e2e.stores import PostgresStore, check_kept_once, check_order
from tests.support.service import Service, find_free_port, running, wait_until
from tests.support.storage.postgres import PostgresServer

pytestmark = pytest.mark.xdist_group("durable server")

ANSWER_SECONDS = 2.0


def is_spooling(service: Service) -> bool:
    return bool(service.ask("/readyz").json["spool"]["status"] == "degraded")


def check_outage(service: Service, load: Load, *, texts: int) -> None:
    """What happens while the database is away: all is acknowledged, and readiness says why."""
    load.wait_for(texts)
    ready = service.ask("/readyz")
    assert ready.status == 200
    assert ready.json["spool"]["status"] == "degraded"


def check_end(service: Service, store: PostgresStore, load: Load) -> None:
    """What must hold once it is back."""
    wait_until(lambda: not is_spooling(service), what=service.log)
    refused = [each for each in load.forwards if each.status != 200]
    assert not refused, refused[:5]
    assert max(each.seconds for each in load.forwards) < ANSWER_SECONDS
    check_kept_once(store, load.forwards)
    check_order(store, load.forwards)


@pytest.mark.soak
def test_a_cut_network_loses_and_doubles_nothing(
    durable_store: PostgresStore, tmp_path: Path, scale: Scale
) -> None:
    with relaying(durable_store.server.port) as relay:
        url = durable_store.url.replace(f":{durable_store.server.port}/", f":{relay.port}/")
        with running(tmp_path / "data", database_url=url) as service:
            with sending(service.port, pause_seconds=0.005) as load:
                for _ in range(scale.pick(1, 10)):
                    load.wait_for(50)
                    relay.cut()
                    check_outage(service, load, texts=200)
                    relay.mend()
                    wait_until(lambda: not is_spooling(service), what=service.log)
                load.wait_for(50)
            check_end(service, durable_store, load)


def test_a_database_that_only_reads_is_waited_for(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    def switch(state: str) -> None:
        name = f'"{durable_store.name}"'
        durable_store.server.execute(
            f"ALTER DATABASE {name} SET default_transaction_read_only = {state}"
        )
        # The setting is for new sessions; a fail-over ends the old ones just so.
        durable_store.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{durable_store.name}'"
        )

    with running(tmp_path / "data", database_url=durable_store.url) as service:
        with sending(service.port, pause_seconds=0.005) as load:
            load.wait_for(50)
            switch("on")
            check_outage(service, load, texts=200)
            switch("off")
            wait_until(lambda: not is_spooling(service), what=service.log)
            load.wait_for(50)
        check_end(service, durable_store, load)


@contextmanager
def keeping_tables_on(disk: SmallDisk, server: PostgresServer) -> Iterator[PostgresStore]:
    """An empty database whose tables lie on that disk."""
    place = disk.path / "tables"
    place.mkdir()
    account = Path(f"/proc/{server.pid}").stat()
    os.chown(place, account.st_uid, account.st_gid)
    name = f"small_{uuid4().hex}"
    server.execute(f"CREATE TABLESPACE {name} LOCATION '{place}'")
    store = PostgresStore(server, name)
    server.execute(f"ALTER DATABASE {name} SET TABLESPACE {name}")
    try:
        yield store
    finally:
        server.drop_database(name)
        server.execute(f"DROP TABLESPACE {name}")


def test_a_full_database_is_waited_for(
    durable_server: PostgresServer, open_disk: SmallDisk, tmp_path: Path
) -> None:

    with (
        keeping_tables_on(open_disk, durable_server) as store,
        running(tmp_path / "data", database_url=store.url) as service,
    ):
        with sending(service.port) as load:
            load.wait_for(50)
            open_disk.fill()
            # Pages that are there already still take some.
            wait_until(lambda: is_spooling(service), what=service.log)
            check_outage(service, load, texts=200)
            open_disk.empty()
            wait_until(lambda: not is_spooling(service), what=service.log)
        check_end(service, store, load)


@pytest.mark.soak
def test_kills_while_the_database_is_away_lose_nothing(
    durable_store: PostgresStore, tmp_path: Path, scale: Scale
) -> None:
    folder, port = tmp_path / "data", find_free_port()
    with sending(port) as load:
        with running(folder, port=port, database_url=durable_store.url):
            load.wait_for(50)
            durable_store.server.kill()
            load.wait_for(50)
        # Each finds the spools of those before it, and adds one of its own.
        for _ in range(scale.pick(1, 30)):
            with running(folder, port=port, wait=False, database_url=durable_store.url) as service:
                load.wait_for(50)
                service.kill()
        durable_store.server.start()
        with running(folder, port=port, database_url=durable_store.url) as service:
            load.wait_for(50)
            wait_until(lambda: not is_spooling(service), what=service.log)
    check_kept_once(durable_store, load.forwards)
    check_order(durable_store, load.forwards)
    print(f"{load.count()} acknowledged, {load.count(0)} unanswered")
