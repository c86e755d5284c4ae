"""Finding a browser for the tests of the pages."""

from pathlib import Path

import pytest

from tests.support.chromium import NAMES, VARIABLE, find_chromium


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is searched for commands."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_named_one_is_taken_even_where_others_are(
    bare_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "/opt/mine")
    assert find_chromium(bare_path) == Path("/opt/mine")


@pytest.mark.parametrize("name", NAMES)
def test_the_machines_is_taken_before_a_downloaded_one(bare_path: Path, name: str) -> None:
    command = bare_path / name
    command.touch(mode=0o755)
    assert find_chromium(bare_path) == command


def test_a_downloaded_one_counts_only_where_it_is(bare_path: Path) -> None:
    assert find_chromium(bare_path / "missing") is None
    downloaded = bare_path / "chrome"
    downloaded.touch()
    assert find_chromium(downloaded) == downloaded
