"""How the program is used: wrong usage is one line, and no locale or terminal breaks it."""

import os
import pty
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import __version__
from tests.support.service import LETTERBOX, make_environment, run_command

# Python itself sees to UTF-8 unless it is told not to.
PLAIN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("frobnicate", "no such command 'frobnicate'; see `letterbox --help`"),
        (
            "number",
            "no such command 'number'; did you mean 'numbers', 'members'? See `letterbox --help`",
        ),
        ("--frobnicate", "no such option: --frobnicate; see `letterbox --help`"),
        ("numbers add", "missing argument 'number'; see `letterbox numbers add --help`"),
        ("numbers ad", "no such command 'ad'; did you mean 'add'? See `letterbox numbers --help`"),
        ("status a b", "unexpected extra argument(s) (b); see `letterbox status --help`"),
        ("keys create me --scope", "option '--scope' requires an argument"),
        ("groups delete --yes", "name one group, or say --all"),
        ("contacts import nowhere.csv", "'nowhere.csv': No such file or directory"),
        ("demo --text-every 0", "'--text-every': it must be greater than or equal to 1"),
        ("export outbound --status gone", "'gone' is not one of 'queued', 'held'"),
        ("report Messages --from yesterday", "'yesterday' is not a time"),
    ],
)
def test_wrong_usage_is_one_line_that_says_what_to_do(
    tmp_path: Path, command: str, said: str
) -> None:
    ended = run_command(tmp_path / "data", *command.split())
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("letterbox: ")
    assert said in line
    assert "--help`" in line


def test_a_group_without_a_command_lists_its_commands(tmp_path: Path) -> None:
    ended = run_command(tmp_path / "data", "numbers")
    assert ended.returncode == 2
    assert "rotate-auth" in ended.stdout
    assert ended.stderr == ""


def test_the_version_is_printed(tmp_path: Path) -> None:
    ended = run_command(tmp_path / "data", "--version")
    assert (ended.returncode, ended.stdout) == (0, f"letterbox {__version__}\n")


def test_a_question_that_nobody_answers_ends_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run_command(folder, "migrate")
    run_command(folder, "numbers", "add", "07700900001")
    ended = run_command(folder, "numbers", "remove", "07700900001")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "letterbox: stopped; nothing was done"


def run_in(
    folder: Path, command: Sequence[str | bytes], **variables: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [LETTERBOX, *command],
        env=make_environment(data_dir=folder) | variables,
        capture_output=True,
        timeout=60,
    )


def show_on_terminal(folder: Path, command: Sequence[str], **variables: str) -> str:
    """What somebody reads whose terminal the program writes to."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [LETTERBOX, *command],
            env=make_environment(data_dir=folder) | variables,
            stdout=theirs,
            timeout=60,
            check=True,
        )
    finally:
        os.close(theirs)
    shown = os.read(ours, 65536).decode("ascii")
    os.close(ours)
    return shown


def test_no_locale_and_no_terminal_breaks_a_command(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    run_command(folder, "migrate")
    added = run_in(folder, ["numbers", "add", "07700900001", "--label", "Café 🎉"], **PLAIN_C)
    assert (added.returncode, added.stderr.decode()) == (
        0,
        "Copy it now: it is not shown again.\n",
    )
    assert "Café 🎉" in run_command(folder, "numbers", "list").stdout
    for variables in (PLAIN_C, {"PYTHONIOENCODING": "ascii"}):
        listed = run_in(folder, ["numbers", "list", "--json"], **variables)
        assert '"label":"Café 🎉"' in listed.stdout.decode()
        shown = run_in(folder, ["numbers", "list"], **variables)
        assert "Café 🎉" in shown.stdout.decode()
    assert "Caf\\xe9" in show_on_terminal(folder, ["numbers", "list"], **PLAIN_C)


def test_an_argument_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    ended = run_in(tmp_path / "data", ["numbers", "add", b"\xe9"])
    assert ended.returncode == 2
    assert ended.stderr.decode() == (
        "letterbox: invalid value: '\\udce9' is not UTF-8; see `letterbox --help`\n"
    )


@pytest.mark.parametrize(
    ("closed", "command", "status"),
    [
        (">&-", "numbers list", 0),
        ("<&- >&- 2>&-", "numbers list --json", 0),
        ("2>&-", "doctor", 0),
        ("<&-", "numbers remove 07700900001", 1),
    ],
)
def test_a_stream_that_is_closed_breaks_no_command(
    tmp_path: Path, closed: str, command: str, status: int
) -> None:
    folder = tmp_path / "data"
    run_command(folder, "migrate")
    run_command(folder, "numbers", "add", "07700900001")
    ended = subprocess.run(
        ["sh", "-c", f"'{LETTERBOX}' {command} {closed}"],
        env=make_environment(data_dir=folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr


def test_a_place_of_the_database_that_cannot_be_one_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url, port in (("postgresql://a..b/x", None), ("postgresql:///x", "abc")):
        if port:
            monkeypatch.setenv("PGPORT", port)
        ended = run_command(tmp_path / "data", "numbers", "list", database_url=url)
        assert ended.returncode == 1
        [line] = ended.stderr.splitlines()
        assert line == (
            "letterbox: a host or port of LETTERBOX_DATABASE_URL, PGHOST or PGPORT is not valid"
        )
