"""One simulated provider on a real socket for the commands, which run in this process."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from app.cli.commands import app
from app.domain.errors import LetterboxError
from tests.simulator.conftest import live_client, live_url, wire
from tests.simulator.play import Wire

__all__ = ["live_client", "live_url", "wire"]

Run = Callable[..., Result]


def invoke(*arguments: str, typed: str | bytes | None = None) -> Result:
    """Run a command in this process; what it would end with in one line is in the result."""
    result = CliRunner().invoke(app, arguments, input=typed)
    if not isinstance(result.exception, SystemExit | LetterboxError | None):
        raise result.exception
    return result


@pytest.fixture
def own_database(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find a migrated database without a row."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LETTERBOX_DATA_DIR", str(tmp_path))
    shutil.copy(sqlite_template, tmp_path / "letterbox.sqlite3")


@pytest.fixture
def unchanged_logging() -> Iterator[None]:
    """A command that sets the log up for its process does so for no other test."""
    loggers = [logging.root, *map(logging.getLogger, logging.root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in loggers]
    handlers, config = logging.root.handlers[:], structlog.get_config()
    yield
    logging.root.handlers[:] = handlers
    for logger, level in levels:
        logger.setLevel(level)
    structlog.configure(**config)


@pytest.fixture
def run(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unchanged_logging: None
) -> Run:
    """Run a command against the provider; where it fails, stderr ends as the program's does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LETTERBOX_PROVIDER_URL", f"{wire.url}/api")
    monkeypatch.setenv("LETTERBOX_PROVIDER_TOKEN", "demo-token")
    return invoke


def read_lines(result: Result) -> list[dict[str, object]]:
    """The objects that a command printed, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]
