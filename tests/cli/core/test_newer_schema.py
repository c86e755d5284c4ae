"""Every command that opens the database refuses the schema of a newer release in one line."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_group

from app import __version__
from app.cli.commands import app
from app.domain.errors import SetupError
from tests.cli.conftest import Run
from tests.test_project import find_command, list_commands

NUMBER, FILE = "447700900010", "rules.yaml"
# What a command needs to get as far as the database.
ARGUMENTS: dict[str, list[str]] = {
    "backup": ["new.backup"],
    "cancel": ["out_1"],
    "erase": [NUMBER, "--yes"],
    "export person": [NUMBER],
    "keys create": ["A program", "--scope", "messages:read"],
    "keys revoke": ["key_1"],
    "members deactivate": ["mem_1", "--yes"],
    "members invite": ["Grace"],
    "members role": ["mem_1", "admin"],
    "move": ["--to", "sqlite:///other.sqlite3"],
    "notify add": ["json://example.com"],
    "notify remove": ["ntf_1", "--yes"],
    "notify test": ["ntf_1"],
    "numbers add": [NUMBER],
    "numbers remove": [NUMBER, "--yes"],
    "numbers rotate-auth": [NUMBER],
    "reconcile": ["--from", "2026-06-01", "--to", "2026-06-02"],
    "rules import": [FILE],
    "rules try": [FILE],
    "send": [NUMBER, "--source", NUMBER, "--body", "Hello"],
    "status": ["out_1"],
    "webhooks add": ["https://example.com/hook"],
    "webhooks remove": ["whk_1", "--yes"],
    "webhooks replay": ["whk_1", "--failed"],
    "webhooks test": ["whk_1"],
}
# These ask the provider or a running service, read a file, or make a database of their own.
WITHOUT = {
    "contacts", "credits", "demo", "groups", "listen", "report", "restore", "simulate", "users",
    "verify",
}  # fmt: skip
# Tried with real processes: tests/e2e/operations/test_upgrades.py.
ELSEWHERE = {"doctor", "migrate", "serve", "work"}

COMMANDS = [
    " ".join(path)
    for path in list_commands(get_group(app))
    if path
    and path[0] not in WITHOUT | ELSEWHERE
    and not isinstance(find_command(path), TyperGroup)
]


@pytest.fixture
def newer(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database in the data folder that a newer release has migrated."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    file = folder / "letterbox.sqlite3"
    file.write_bytes(sqlite_template.read_bytes())
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    monkeypatch.setenv("LETTERBOX_DATA_DIR", str(folder))
    (tmp_path / FILE).write_text("- name: x\n  keyword: x\n  reply: y\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_the_schema_of_a_newer_release_in_one_line(
    run: Run, newer: None, command: str
) -> None:
    result = run(*command.split(), *ARGUMENTS.get(command, []))
    assert isinstance(result.exception, SetupError), (result.exception, result.output)
    said = str(result.exception)
    assert f"revision 9999, which Letterbox {__version__} does not know: start the newer" in said
    assert "\n" not in said
