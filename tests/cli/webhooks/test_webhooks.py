"""`letterbox webhooks` and `listen`: secrets shown once, tests that wait, wrong usage in a line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.commands import app
from app.cli.webhooks import webhooks
from app.domain.errors import LetterboxError

Run = Callable[..., Result]
URL = "https://example.com/texts"


@pytest.fixture
def run(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LETTERBOX_DATA_DIR", str(tmp_path))
    shutil.copy(sqlite_template, tmp_path / "letterbox.sqlite3")

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments)
        if not isinstance(result.exception, SystemExit | LetterboxError | None):
            raise result.exception
        return result

    return invoke


def test_a_webhook_is_added_listed_and_removed(run: Run) -> None:
    made = json.loads(run("webhooks", "add", URL, "--type", "alert.opened", "--json").stdout)
    assert made["secret"].startswith("whsec_")
    listed = json.loads(run("webhooks", "list", "--json").stdout)
    assert (listed["id"], listed["types"]) == ("whk_1", ["alert.opened"])
    assert "secret" not in listed
    assert run("webhooks", "remove", "whk_1", "--yes").stdout == "removed whk_1\n"
    assert run("webhooks", "list", "--json").stdout == ""


def test_only_the_secret_is_on_stdout(run: Run) -> None:
    result = run("webhooks", "add", URL)
    assert result.stdout.startswith("whsec_")
    assert result.stdout.count("\n") == 1


def test_a_test_that_nobody_sends_fails_with_a_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "TEST_SECONDS", 0.4)
    run("webhooks", "add", URL)
    result = run("webhooks", "test", "whk_1")
    assert isinstance(result.exception, webhooks.NotDelivered)
    assert "no process of the service" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--failed"], "0 failed deliveries are sent again\n"),
        (["--since", "2999-01-01T00:00:00Z"], "every event since 2999-01-01T00:00:00Z is"),
    ],
)
def test_a_replay_says_what_is_sent_again(run: Run, arguments: list[str], said: str) -> None:
    run("webhooks", "add", URL)
    assert run("webhooks", "replay", "whk_1", *arguments).stdout.startswith(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ["webhooks", "add", "http://example.com/"],
        ["webhooks", "add", URL, "--type", "message.lost"],
        ["webhooks", "replay", "whk_1"],
        ["webhooks", "replay", "whk_1", "--failed", "--since", "2026-06-01T12:00:00Z"],
        ["webhooks", "replay", "whk_1", "--since", "yesterday"],
        ["webhooks", "remove", "whk_9", "--yes"],
        ["listen", "--forward-to", "localhost:3000"],
        ["listen", "--forward-to", "http://127.0.0.1:3000", "--type", "message.lost"],
        ["listen", "--forward-to", "http://127.0.0.1:3000", "--url", "https://example.com"],
    ],
)
def test_wrong_usage_fails(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code in {1, 2}
