"""Services that share a data folder or a SQLite file, and databases that are not the old ones."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.inbound.test_outage import wait_until_drained
from tests.e2e.stores import PostgresStore, SqliteStore
from tests.support.service import Service, run_command, running, wait_until

pytestmark = pytest.mark.xdist_group("durable server")


def list_alerts(service: Service, kind: str) -> list[dict[str, Any]]:
    return [each for each in service.get("/alerts")["items"] if each["kind"] == kind]


def test_a_spool_of_another_database_is_left_to_it(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    server, data = durable_store.server, tmp_path / "data"
    other = PostgresStore(server, f"e2e_{uuid4().hex}")
    with running(data, database_url=durable_store.url) as service:
        server.stop()
        assert [service.forward(f"{number}").status for number in range(30)] == [200] * 30
        service.kill()
    server.start()
    with running(data, database_url=other.url) as service:
        wait_until(lambda: bool(list_alerts(service, "spool-foreign")), what=service.log)
        [alert] = list_alerts(service, "spool-foreign")
        assert durable_store.name in alert["text"]
        assert "postgres:" not in alert["text"].partition("://")[2]
        assert service.forward("theirs").status == 200
        assert other.list_ids() == ["theirs"]
    with running(data, database_url=durable_store.url) as service:
        wait_until_drained(service)
        assert sorted(durable_store.list_ids(), key=int) == [str(each) for each in range(30)]
    assert other.list_ids() == ["theirs"]
    server.drop_database(other.name)


def test_a_spool_that_was_begun_before_the_database_was_ever_reached_finds_it(
    durable_store: PostgresStore, tmp_path: Path
) -> None:
    server, data = durable_store.server, tmp_path / "data"
    server.stop()
    with running(data, database_url=durable_store.url) as service:
        assert service.forward("1").status == 200
        service.kill()
    server.start()
    with running(data, database_url=durable_store.url) as service:
        wait_until_drained(service)
        assert durable_store.list_ids() == ["1"]


def test_a_database_that_moved_gets_its_spool(durable_store: PostgresStore, tmp_path: Path) -> None:
    server, data = durable_store.server, tmp_path / "data"
    with running(data, database_url=durable_store.url) as service:
        assert service.forward("1").status == 200
        server.stop()
        assert service.forward("2").status == 200
        service.kill()
    server.start()
    renamed = PostgresStore(server, f"e2e_{uuid4().hex}")
    server.drop_database(renamed.name)
    server.execute(f'ALTER DATABASE "{durable_store.name}" RENAME TO "{renamed.name}"')
    try:
        with running(data, database_url=renamed.url) as service:
            wait_until_drained(service)
            assert renamed.list_ids() == ["1", "2"]
    finally:
        server.execute(f'ALTER DATABASE "{renamed.name}" RENAME TO "{durable_store.name}"')


def test_two_services_on_one_sqlite_file_are_refused_whatever_their_folders(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    link = tmp_path / "link.sqlite3"
    link.symlink_to(sqlite_store.path)
    with running(tmp_path / "data") as service:
        for url in (sqlite_store.url, f"sqlite:///{link}"):
            for command in ("serve", "work", "migrate"):
                second = run_command(tmp_path / "second", command, database_url=url, port=0)
                assert second.returncode == 1
                assert len(second.stderr.strip().splitlines()) == 1, second.stderr
                assert "another letterbox is running on" in second.stderr
        assert service.forward("1").status == 200
        # Other commands work beside it.
        assert run_command(tmp_path / "data", "numbers", "list").returncode == 0
    with running(tmp_path / "second", database_url=sqlite_store.url) as service:
        assert service.forward("2").status == 200


@pytest.mark.parametrize("ends", ["stopped", "killed"])
@pytest.mark.parametrize("harm", ["removed", "emptied"])
def test_a_start_on_nothing_where_messages_were_is_told(
    sqlite_store: SqliteStore, tmp_path: Path, harm: str, ends: str
) -> None:
    data = tmp_path / "data"
    with running(data) as service:
        assert list_alerts(service, "database-emptied") == []
        assert service.forward("1").status == 200
        wait_until((data / "databases.json").exists)
        service.stop() if ends == "stopped" else service.kill()
    for path in data.glob("letterbox.sqlite3*"):
        if harm == "removed" or path.name.endswith(("-wal", "-shm")):
            path.unlink()
        else:
            path.write_bytes(b"")
    with running(data) as service:
        wait_until(lambda: bool(list_alerts(service, "database-emptied")), what=service.log)
        assert service.forward("2").status == 200
        assert sqlite_store.list_ids() == ["2"]


def test_a_first_start_and_one_without_messages_tell_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with running(tmp_path / "data") as service:
            assert service.get("/alerts")["items"] == []
