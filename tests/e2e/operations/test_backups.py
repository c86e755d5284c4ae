"""The drill: back up beside a running service, lose everything, restore, and go on."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.commands import app
from tests.e2e.sendings import OURS, Provider, providing
from tests.e2e.stores import PostgresStore, SqliteStore, Store
from tests.support.service import Service, running, wait_until
from tests.support.storage.postgres import PostgresServer

ADA, GRACE = "447700900011", "447700900012"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(store: Store, folder: Path, *arguments: str) -> Result:
        monkeypatch.setenv("LETTERBOX_DATABASE_URL", store.url)
        monkeypatch.setenv("LETTERBOX_DATA_DIR", str(folder))
        return CliRunner().invoke(app, arguments)

    return run


@pytest.fixture
def new_store(store: Store, tmp_path: Path, durable_server: PostgresServer) -> Store:
    """An empty place of the same kind."""
    if isinstance(store, PostgresStore):
        return PostgresStore(durable_server, f"{store.name}_new")
    return SqliteStore(tmp_path / "new" / "letterbox.sqlite3")


def test_a_restored_service_sends_nothing_again_until_a_person_says_so(
    store: Store, new_store: Store, tmp_path: Path, run: Any
) -> None:
    old, new, file = tmp_path / "data", tmp_path / "new", tmp_path / "backup"
    with providing() as provider:
        with _serve(old, store, provider) as service:
            service.forward("1")
            key = (old / "api_key").read_text().strip()
            _steer(service, key, "paused")
            _queue(service, key, ADA, GRACE)
            assert run(store, old, "backup", str(file)).exit_code == 0
            _steer(service, key, "running")
            wait_until(lambda: sum(provider.count_taken().values()) == 2)
            service.kill()

        assert run(store, old, "verify", str(file)).exit_code == 0
        restored = run(new_store, new, "restore", str(file))
        assert restored.exit_code == 0, restored.exception

        with _serve(new, new_store, provider) as service:
            messages = service.call("/messages", key=key).json["items"]
            assert [each["provider_id"] for each in messages] == ["1"]
            assert service.forward("1").status == 200
            sender = service.call("/sender", key=key).json
            assert (sender["state"], sender["waiting"]) == ("paused", 2)
            assert "may have gone out since" in sender["reason"]
            for each in service.call("/outbound", key=key).json["items"]:
                path = f"/outbound/{each['id']}/cancel"
                assert service.call(path, method="POST", body={}, key=key).status == 200
            _queue(service, key, GRACE, body="Later")
            _steer(service, key, "running")
            wait_until(lambda: sum(provider.count_taken().values()) == 3)
            assert new_store.count() == 1
        assert set(provider.count_taken().values()) == {1}


def test_nothing_is_restored_over_what_is_there(store: Store, tmp_path: Path, run: Any) -> None:
    file = tmp_path / "backup"
    with running(tmp_path / "data", data_dir=tmp_path / "data", database_url=store.url):
        assert run(store, tmp_path / "data", "backup", str(file)).exit_code == 0
    again = run(store, tmp_path / "data", "backup", str(file))
    assert "is there already" in str(again.exception)
    full = run(store, tmp_path / "data", "restore", str(file))
    assert "is not empty" in str(full.exception)
    taken = run(store, tmp_path / "elsewhere", "restore", str(file))
    assert "is not empty" in str(taken.exception) or "is there already" in str(taken.exception)


def _serve(folder: Path, store: Store, provider: Provider) -> Any:
    settings: dict[str, Any] = {"data_dir": folder, "database_url": store.url, "api_key": None}
    return running(folder, **settings, **provider.settings)


def _steer(service: Service, key: str, state: str) -> None:
    answer = service.call("/sender", method="POST", body={"state": state}, key=key)
    assert answer.status == 200, answer


def _queue(service: Service, key: str, *to: str, body: str = "Hello") -> None:
    order = {"to": list(to), "source": OURS, "body": body}
    assert service.call("/outbound", method="POST", body=order, key=key).status == 202
