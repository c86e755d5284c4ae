"""What commands do at the provider stands in the audit trail, where there is a database."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.core.offline import find_actor
from app.storage.access.audit import AuditEntry, list_audit
from app.storage.db.database import open_database
from tests.cli.conftest import Run
from tests.simulator.play import ADA

NAMES = ("--first-name", "A", "--last-name", "B", "--email", "desk@example.com")
DEEDS: list[tuple[list[str], str, tuple[str, str, dict[str, object]]]] = [
    (
        ["contacts", "import", "-"],
        f"Ada,{ADA},,friends\nEve,mine,,people\n",
        ("contacts.import", "contacts", {"lines": 2}),
    ),
    (["groups", "empty", "friends", "--yes"], "", ("group.empty", "friends", {})),
    (["groups", "delete", "friends", "--yes"], "", ("group.delete", "friends", {})),
    (["groups", "delete", "--all", "--yes"], "", ("groups.delete-all", "all", {})),
    (["contacts", "clear", "--yes"], "", ("contacts.delete-all", "all", {})),
    (
        ["users", "create", "desk", *NAMES, "--password-stdin"],
        "s3cret\n",
        ("user.create", "desk", {"access_level": "Normal"}),
    ),
    (["users", "credit", "desk", "2.50"], "", ("user.credits", "desk", {"quantity": "2.50"})),
]


def read_audit(database_url: str) -> list[AuditEntry]:
    """The entries, oldest first."""

    async def read() -> list[AuditEntry]:
        database = open_database(database_url, Path(database_url.removeprefix("sqlite:///")))
        try:
            return (await database.read(list_audit, before=None, limit=50))[::-1]
        finally:
            await database.close()

    return asyncio.run(read())


def test_every_deed_is_noted_with_who_did_it(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBOX_DATABASE_URL", database_url)
    for command, typed, _ in DEEDS:
        result = run(*command, typed=typed)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "audit trail" not in result.stderr
    entries = read_audit(database_url)
    assert [(each.action, each.subject, each.detail) for each in entries] == [
        noted for _, _, noted in DEEDS
    ]
    assert {each.actor for each in entries} == {find_actor()}
    assert "s3cret" not in str(entries)


def test_what_the_provider_refuses_and_what_only_asks_is_not_noted(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBOX_DATABASE_URL", database_url)
    for command in (
        ["groups", "delete", "nobody", "--yes"],
        ["users", "credit", "nobody", "5"],
        ["contacts", "list"],
        ["groups", "list"],
    ):
        run(*command)
    assert read_audit(database_url) == []


def leave_out(_: Path) -> None:
    """No database at all."""


def keep_old(path: Path) -> None:
    sqlite3.connect(path).close()


def spoil(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (leave_out, "there is no database at"),
        (keep_old, "the schema is older than this release"),
        (spoil, "cannot be used"),
        (make_folder, "cannot be used"),
    ],
)
def test_without_a_database_the_command_works_and_says_so_in_a_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Path], None],
    reason: str,
) -> None:
    monkeypatch.setenv("LETTERBOX_DATABASE_URL", f"sqlite:///{tmp_path}/here.sqlite3")
    prepare(tmp_path / "here.sqlite3")
    result = run("contacts", "clear", "--yes")
    assert (result.exit_code, result.stdout) == (0, "deleted every contact\n")
    [line] = result.stderr.splitlines()
    assert line.startswith("letterbox: this is not in the audit trail: ")
    assert reason in line


def test_a_server_that_is_away_keeps_no_command_from_its_work(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERBOX_DATABASE_URL", "postgresql://me:s3cret@127.0.0.1:1/letterbox")
    result = run("contacts", "clear", "--yes")
    assert (result.exit_code, result.stdout) == (0, "deleted every contact\n")
    [line] = result.stderr.splitlines()
    assert "the database cannot be reached" in line
    assert "s3cret" not in line
