"""Starts that cannot succeed say why in one line, without a traceback or a secret."""

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stores import PostgresStore, SqliteStore
from tests.support.service import find_free_port, run_command, running, wait_until


def check_refused(folder: Path, command: str, *parts: str, **settings: Any) -> None:
    """The command ends with status 1 and one line of its own, which names all the parts."""
    ended = run_command(folder, *command.split(), from_file=True, **({"port": 0} | settings))
    assert ended.returncode == 1, ended
    assert "Traceback" not in ended.stderr
    [line] = [each for each in ended.stderr.splitlines() if each.startswith("letterbox: ")]
    for part in parts:
        assert part in line
    assert "a-password" not in ended.stderr + ended.stdout


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", find_free_port()))) as other:
        port = other.getsockname()[1]
        check_refused(tmp_path / "data", "serve", "LETTERBOX_PORT", f":{port}", port=port)


def test_of_two_that_start_at_once_on_a_port_one_ends(tmp_path: Path) -> None:
    port = find_free_port()
    with (
        running(tmp_path / "one", port=port, wait=False, launcher=()) as one,
        running(tmp_path / "two", port=port, wait=False, launcher=()) as two,
    ):
        wait_until(lambda: {one.process.poll(), two.process.poll()} == {None, 1})
        winner, loser = (one, two) if one.process.poll() is None else (two, one)
        winner.wait_until_ready()
        assert loser.read_log().startswith("letterbox: LETTERBOX_HOST, LETTERBOX_PORT: ")
        assert len(loser.read_log().splitlines()) == 1


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/letterbox.sqlite3").write_text("these are not the messages you look for")
    for command in ("serve", "numbers list"):
        check_refused(tmp_path / "data", command, "LETTERBOX_DATABASE_URL", "not a database")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/letterbox.sqlite3"
    check_refused(tmp_path / "data", "serve", "/missing/letterbox.sqlite3", database_url=url)


def test_a_database_of_a_newer_release_is_left_alone(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(sqlite_store.path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    check_refused(tmp_path / "data", "serve", "9999", "newer release")
    assert sqlite_store.list_tables() == ["alembic_version"]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql://me:a-password/2@127.0.0.1/x", "LETTERBOX_DATABASE_URL"),
        ("postgresql://me:a-password@127.0.0.1:1/x", "cannot be reached"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(
    tmp_path: Path, url: str, part: str
) -> None:
    check_refused(tmp_path / "data", "migrate", part, database_url=url)


def test_a_database_that_does_not_exist_is_named(
    postgres_store: PostgresStore, tmp_path: Path
) -> None:
    url = postgres_store.server.url("no_such_database")
    check_refused(tmp_path / "data", "migrate", "no_such_database", database_url=url)


def test_a_file_of_settings_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LETTERBOX_PORT=\xff\xfe\n")
    check_refused(tmp_path / "data", "serve", os.fspath(tmp_path / ".env"))
