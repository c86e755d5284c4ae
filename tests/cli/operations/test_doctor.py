"""`letterbox doctor`: what is wrong with the database, each with what to do."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import invoke
from tests.e2e.small_disk import SmallDisk, mounted
from tests.support.service import run_command


def find_failures(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str = "") -> list[str]:
    monkeypatch.setenv("LETTERBOX_DATA_DIR", str(folder))
    monkeypatch.setenv("LETTERBOX_DATABASE_URL", url)
    lines = invoke("doctor").stdout.splitlines()
    return [each.removeprefix("fail  ") for each in lines if each.startswith("fail  ")]


def test_a_folder_that_the_first_start_would_miss_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/absent/letterbox.sqlite3"
    assert find_failures(monkeypatch, tmp_path, url) == [
        f"LETTERBOX_DATABASE_URL: there is no folder {tmp_path}/absent: create it"
    ]
    assert "set LETTERBOX_DATABASE_URL to where it runs" in str(invoke("keys", "list").exception)
    monkeypatch.setenv("LETTERBOX_DATABASE_URL", "")
    assert "set LETTERBOX_DATA_DIR to where it runs" in str(invoke("keys", "list").exception)


def test_a_server_that_is_away_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://me:a-password@127.0.0.1:1/x"
    [line] = find_failures(monkeypatch, tmp_path, url)
    assert line == (
        "the database cannot be reached: nothing listens at 127.0.0.1:1; start PostgreSQL, or"
        " correct host and port in LETTERBOX_DATABASE_URL"
    )


@pytest.fixture
def disk(own_database: None, tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk with a database on it."""
    with mounted(tmp_path / "disk", mebibytes=8) as small:
        (tmp_path / "letterbox.sqlite3").rename(tmp_path / "letterbox.kept")
        (small.path / "letterbox.sqlite3").write_bytes((tmp_path / "letterbox.kept").read_bytes())
        yield small


@pytest.mark.slow
def test_a_disk_that_is_read_only_is_said(disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = disk.path
    subprocess.run(["mount", "-o", "remount,ro", path], check=True)
    folder, file = find_failures(monkeypatch, path)
    assert folder.startswith(f"LETTERBOX_DATA_DIR: {path} cannot be used (Read-only file system);")
    assert folder.endswith("make its disk writable, or name a folder on another one")
    assert file.endswith("or make its disk writable")
    refused = str(invoke("numbers", "list").exception)
    assert refused.startswith(f"LETTERBOX_DATABASE_URL: the SQLite file {path}/letterbox.sqlite3")
    assert "sqlite3.OperationalError" not in file + refused


@pytest.mark.slow
def test_a_disk_that_is_full_is_said(disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.fill()
    assert "see whether its disk is full" in find_failures(monkeypatch, disk.path)[0]
    for command in ("numbers list", "migrate"):
        ended = run_command(disk.path, *command.split())
        assert "see whether its disk is full" in ended.stderr
    started = run_command(disk.path, "work", inbound_auth=None, api_key=None)
    assert "(No space left on device); make room on its disk" in started.stderr
