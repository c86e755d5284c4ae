"""`letterbox send`, `status` and `cancel` beside a running service, which does the sending."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.commands import app
from tests.e2e.sendings import OURS, providing
from tests.e2e.stores import Store
from tests.support.service import Service, running, wait_until

NEXT_WEEK = datetime.now(UTC) + timedelta(days=7)
ADA, GRACE = "447700900011", "447700900012"


def test_what_the_command_queues_the_running_service_sends(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    with providing() as provider:
        settings: dict[str, Any] = {
            "data_dir": folder,
            "database_url": store.url,
            **provider.settings,
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"LETTERBOX_{name.upper()}", str(value))

        def run(*arguments: str) -> Any:
            result = CliRunner().invoke(app, [*arguments, "--json"])
            assert result.exit_code == 0, result.exception
            return json.loads(result.stdout)

        def queue(to: str, *arguments: str) -> str:
            answer = run("send", to, "--source", OURS, "--body", "Hello", *arguments)
            return str(answer["items"][0]["id"])

        def is_delivered(service: Service, text: str) -> bool:
            store.hurry()
            return bool(service.get(f"/outbound/{text}")["status"] == "delivered")

        with running(folder, **settings) as service:
            first, kept = queue(ADA), queue(GRACE, "--schedule-at", f"{NEXT_WEEK:%Y-%m-%d}")
            assert run("cancel", kept)["status"] == "cancelled"
            wait_until(lambda: is_delivered(service, first))
            assert run("status", first)["status"] == "delivered"
            assert service.get(f"/outbound/{kept}")["status"] == "cancelled"
            late = CliRunner().invoke(app, ["cancel", first])
            assert (late.exit_code, str(late.exception)) == (1, "the text is delivered already")
        assert dict(provider.count_taken()) == {(ADA, "Hello"): 1}
