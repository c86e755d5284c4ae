"""A newer release beside this one: it migrates, and processes of both serve one database."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app import __version__
from app.storage.db.migrate import MIGRATIONS, list_revisions
from tests.e2e.sendings import OURS, providing
from tests.e2e.stores import PostgresStore
from tests.support.service import Service, find_free_port, run_command, running, wait_until

ROOT = MIGRATIONS.parent
NEXT_VERSION = "99.0.0"
NEXT_REVISION = f"{int(list_revisions()[-1]) + 1:04}"
# All that docs/decisions/0056 allows.
MIGRATION = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT_REVISION}"
down_revision = "{list_revisions()[-1]}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("next_note", sa.Text()))
    rank = sa.Column("next_rank", sa.Integer(), nullable=False, server_default="0")
    op.add_column("outbound", rank)
    op.add_column("conversations", sa.Column("next_topic", sa.Text()))
    op.create_index("messages_next_idx", "messages", ["source", "next_note"])
    op.create_table("next_things", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("UPDATE messages SET next_note = 'filled'")
"""
REFUSED = f"revision {NEXT_REVISION}, which Letterbox {__version__} does not know"


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """What runs the command `letterbox` of a release after this one, with one more migration."""
    place = tmp_path_factory.mktemp("next")
    for name in ("app", "migrations"):
        shutil.copytree(ROOT / name, place / name)
    (place / f"migrations/versions/{NEXT_REVISION}_next.py").write_text(MIGRATION)
    init = place / "app/__init__.py"
    init.write_text(init.read_text().replace(f'"{__version__}"', f'"{NEXT_VERSION}"'))
    return ("env", f"PYTHONPATH={place}")


@dataclass
class Forwarder:
    """Forwards texts one after the other, to the second service where the first has no answer."""

    services: list[Service]
    taken: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def forward(self) -> None:
        number = f"beside {len(self.taken) + len(self.lost)}"
        is_taken = any(self._try(each, number) for each in self.services)
        (self.taken if is_taken else self.lost).append(number)

    @staticmethod
    def _try(service: Service, number: str) -> bool:
        try:
            return service.forward(number).status == 200
        except OSError:
            return False


@contextmanager
def forwarding(forwarder: Forwarder) -> Iterator[None]:
    """Texts come in for the length of the block."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.02):
            forwarder.forward()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def check_work(service: Service, other: Service, name: str) -> None:
    """One takes a text and sends one; the other shows both."""
    assert service.forward(name, msg=f"About {name}").status == 200
    text = {"to": "447700900010", "source": OURS, "body": name}
    answer = service.call("/outbound", method="POST", body=text)
    assert answer.status == 202, answer
    sent = answer.json["items"][0]["id"]
    listed = other.get(f"/messages?provider_id={name}")["items"]
    assert [each["body"] for each in listed] == [f"About {name}"]
    path = f"/messages/{listed[0]['id']}"
    wait_until(lambda: bool(other.get(path)["handled_at"]), what=service.log)
    wait_until(lambda: other.get(f"/outbound/{sent}")["status"] != "queued", what=other.log)


def read_version(service: Service) -> str:
    return str(service.ask("/readyz").json["version"])


def test_two_web_processes_are_replaced_one_after_the_other_while_texts_come_in(
    postgres_store: PostgresStore, tmp_path: Path, launcher: Sequence[str]
) -> None:
    ports = {name: find_free_port() for name in ("a", "b")}
    checks = ["before", "on-the-newer-schema", "a-new", "b-old", "b-new", "a-beside-b"]
    with providing() as provider, ExitStack() as stack:
        settings = provider.settings | {"database_url": postgres_store.url}

        def start(name: str, **how: Any) -> Service:
            folder = tmp_path / name
            return stack.enter_context(running(folder, port=ports[name], **settings, **how))

        services = [start("a"), start("b")]
        forwarder = Forwarder(services)
        check_work(services[0], services[1], checks[0])
        with forwarding(forwarder):
            migrating = running(
                tmp_path / "m", "migrate", launcher=launcher, wait=False, **settings
            )
            with migrating as new:
                assert new.process.wait(60) == 0, new.read_log()
            revision = postgres_store.fetch("SELECT version_num FROM alembic_version")
            assert revision == [(NEXT_REVISION,)]
            check_work(services[0], services[1], checks[1])
            for place, name in enumerate(("a", "b")):
                assert services[place].stop() == 0
                services[place] = start(name, launcher=launcher)
                assert read_version(services[place]) == NEXT_VERSION
                check_work(services[place], services[1 - place], checks[2 + 2 * place])
                check_work(services[1 - place], services[place], checks[3 + 2 * place])
        assert len(forwarder.taken) > 20
        assert forwarder.lost == []
        stored = postgres_store.list_ids()
        assert sorted(each for each in stored if "beside " in each) == sorted(forwarder.taken)
        bodies = (text.body for text in provider.list_taken())
        assert sorted(bodies) == sorted(checks)


@pytest.mark.parametrize("command", ["serve", "work", "migrate", "numbers list", "doctor"])
def test_what_is_old_does_not_start_on_a_newer_schema(
    postgres_store: PostgresStore, tmp_path: Path, command: str
) -> None:
    postgres_store.execute(f"UPDATE alembic_version SET version_num = '{NEXT_REVISION}'")
    ended = run_command(
        tmp_path / "data", *command.split(), database_url=postgres_store.url, port=find_free_port()
    )
    assert ended.returncode == 1
    said = ended.stdout if command == "doctor" else ended.stderr
    [line] = [each for each in said.splitlines() if REFUSED in each]
    assert "start the newer release" in line
    assert "Traceback" not in ended.stderr
