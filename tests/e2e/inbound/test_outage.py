"""The database away, hung or full: every text is acknowledged, and stored later, once."""

import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Scale
from tests.e2e.load import Load, sending
from tests.e2e.small_disk import SmallDisk
from tests.e2e.stores import PostgresStore, check_kept_once, check_order
from tests.support.service import Service, running, wait_until

pytestmark = pytest.mark.xdist_group("durable server")

# What the contract allows for one answer while the database is away.
ANSWER_SECONDS = 2.0


def wait_until_drained(service: Service) -> None:
    wait_until(
        lambda: service.ask("/readyz").json["spool"]["status"] == "ok",
        seconds=30,
        what=service.log,
    )


def wait_until_reached(service: Service) -> None:
    """It takes messages before it has found its database."""
    wait_until(lambda: service.ask("/readyz").json["database"]["status"] == "ok", what=service.log)


def check_answers(load: Load) -> None:
    assert load.count() == len(load.forwards), [
        each for each in load.forwards if each.status != 200
    ]
    assert max(each.seconds for each in load.forwards) < ANSWER_SECONDS


@pytest.mark.soak
@pytest.mark.parametrize("outage", ["stopped", "killed", "paused"])
def test_an_outage_under_load_loses_and_doubles_nothing(
    durable_store: PostgresStore, tmp_path: Path, scale: Scale, outage: str
) -> None:
    server = durable_store.server
    with running(tmp_path / "data", database_url=durable_store.url) as service:
        with sending(service.port, pause_seconds=0.005) as load:
            for _ in range(scale.pick(1, 15)):
                load.wait_for(50)
                if outage == "stopped":
                    server.stop("immediate")
                elif outage == "killed":
                    server.kill()
                else:
                    server.pause()
                load.wait_for(200)
                ready = service.ask("/readyz")
                assert ready.status == 200
                assert ready.json["spool"]["status"] == "degraded"
                server.resume() if outage == "paused" else server.start()
                wait_until_drained(service)
            load.wait_for(50)
        check_answers(load)
        wait_until_drained(service)
        check_kept_once(durable_store, load.forwards)
        check_order(durable_store, load.forwards)


def test_a_start_without_the_database_takes_messages(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    server = durable_store.server
    with running(tmp_path / "data", database_url=durable_store.url) as service:
        wait_until_reached(service)
        made = service.call("/numbers", method="POST", body={"number": "447700900456"})
        own_auth = made.json["auth"][0]["value"]
        assert service.forward("1", auth=own_auth).status == 200
        time.sleep(1.5)  # within which the process has noted the new value
    server.stop()
    with running(tmp_path / "data", database_url=durable_store.url) as service:
        assert service.forward("2").status == 200
        assert service.forward("3", auth=own_auth).status == 200
        unknown = service.forward("4", auth="unknown to everybody")
        assert (unknown.status, unknown.headers["retry-after"]) == (503, "30")
        assert unknown.seconds < ANSWER_SECONDS
        assert service.call("/messages").status == 503
        server.start()
        wait_until_drained(service)
        assert service.forward("4", auth="unknown to everybody").status == 403
        assert durable_store.list_ids() == ["1", "2", "3"]


def test_where_nothing_durable_is_left_the_answer_is_503(
    durable_store: PostgresStore, small_disk: SmallDisk, tmp_path: Path
) -> None:
    server = durable_store.server
    data = small_disk.path
    with running(data, database_url=durable_store.url) as service:
        wait_until_reached(service)
        assert service.forward("1").status == 200
        small_disk.fill()
        assert service.forward("2").status == 200
        server.stop()
        refused = service.forward("3")
        assert (refused.status, refused.headers["retry-after"]) == (503, "30")
        assert service.ask("/readyz").status == 503
        small_disk.empty()
        wait_until(lambda: service.forward("4").status == 200)
        server.start()
        wait_until_drained(service)
        assert durable_store.list_ids() == ["1", "2", "4"]


def test_a_full_disk_under_sqlite_refuses_and_recovers(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    data = small_disk.path
    with running(data) as service:
        with sending(service.port, senders=4) as load:
            load.wait_for(50)
            small_disk.fill()
            load.wait_for(20, status=503)
            small_disk.empty()
            load.wait_for(50)
        acknowledged = {each.message_id for each in load.acknowledged}
        wait_until_drained(service)
        stored: set[str] = set()
        cursor = ""
        while items := (page := service.get(f"/messages?order=asc&limit=500{cursor}"))["items"]:
            stored |= {item["provider_id"] for item in items}
            cursor = f"&cursor={page['next']}"
        assert acknowledged <= stored
        assert "Traceback" not in service.read_log()
