"""A role that owns nothing runs the service; another one migrates."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.sendings import OURS, Sendings, providing
from tests.e2e.stores import PostgresStore
from tests.support.service import run_command, running, wait_until
from tests.support.storage.postgres import PostgresServer

ROLES = Path(__file__).parents[3] / "docs/deploy/postgresql-roles.sql"


@pytest.fixture
def store(postgres_server: PostgresServer) -> Iterator[PostgresStore]:
    """A new database with the roles that the documents give it."""
    store = PostgresStore(postgres_server, "roles")
    store.execute(ROLES.read_text())
    yield store
    postgres_server.drop_database(store.name)


def name_url(store: PostgresStore, role: str) -> str:
    return store.url.replace("postgres@", f"{role}@")


def check_refused(folder: Path, command: str, url: str, *parts: str) -> None:
    ended = run_command(folder, command, port=0, database_url=url)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert "Traceback" not in said
    assert any(all(part in line for part in parts) for line in said.splitlines()), said


def test_a_role_that_owns_nothing_runs_everything(store: PostgresStore, tmp_path: Path) -> None:
    owner, plain = name_url(store, "letterbox_owner"), name_url(store, "letterbox")
    data = tmp_path / "data"
    check_refused(data, "serve", plain, "LETTERBOX_DATABASE_URL", "letterbox migrate", "denied")
    assert run_command(data, "migrate", database_url=owner).returncode == 0
    store.execute(ROLES.read_text())  # again, as after a release with new tables
    with providing() as provider, ExitStack() as stack:
        settings = {"database_url": plain, **provider.settings}
        sendings = Sendings(store, provider)
        service = stack.enter_context(running(data, run_workers="false", **settings))
        sendings.ask_for_answers(service, 3)
        sendings.queue(service, 20, numbers=20)
        work = tmp_path / "work"
        with running(work, "work", wait=False, **settings) as worker:
            sendings.settle_all(service, seconds=60)
            sendings.check_each_went_out_once()
        store.execute("UPDATE messages SET arrived_at = arrived_at - interval '9 days'")
        with running(work, "work", wait=False, keep_days=1, **settings) as later:
            assert service.forward("1", dest=OURS).status == 200
            wait_until(lambda: store.list_ids() == ["1"], what=later.log)
        backup = run_command(data, "backup", str(tmp_path / "copy"), database_url=plain)
        assert backup.returncode == 0 or "server version mismatch" in backup.stderr, backup.stderr
        for each in (service, worker, later):
            assert "denied" not in each.read_log()
    assert "owner of" not in run_command(data, "doctor", database_url=plain).stdout

    store.execute("REVOKE INSERT ON messages, events FROM letterbox")
    missing = ("role letterbox lacks INSERT on events, INSERT on messages", ROLES.name)
    for command in ("doctor", "serve", "work"):
        check_refused(data, command, plain, *missing)
    store.execute(f"{ROLES.read_text()}; UPDATE alembic_version SET version_num = '0001'")
    check_refused(data, "serve", plain, "letterbox migrate", "must be owner")
    check_refused(data, "doctor", plain, "older than this release")
