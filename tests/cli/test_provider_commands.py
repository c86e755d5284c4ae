"""The commands that ask the provider: what they print, and how they fail."""

import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import InvalidInput, NoProvider
from app.domain.provider_errors import CodeError, Unreachable
from tests.cli.conftest import Run, read_lines
from tests.simulator.play import ADA, GRACE, VMN, Wire
from tests.support.service import LETTERBOX, make_environment, run_command

PEOPLE = f"Ada,{ADA},ada@example.com,friends\nGrace,{GRACE},,friends,people\n"
SPAN = ("--from", "2026-03-01", "--to", "2026-03-03T00:00:00Z")


def test_credits_are_printed_as_a_decimal(run: Run) -> None:
    assert run("credits").stdout == "1000.00\n"
    assert json.loads(run("credits", "--json").stdout) == {"credits": "1000.00"}


def test_a_report_is_csv_or_json(run: Run, wire: Wire) -> None:
    message_id = wire.send(ADA).text
    headings, row = csv.reader(io.StringIO(run("report", "Messages", *SPAN).stdout))
    assert (headings[0], row[0], row[2]) == ("MessageID", message_id, ADA)
    shown = json.loads(run("report", "messages", *SPAN, "--json").stdout)
    assert [each["Destination"] for each in shown["items"]] == [ADA]
    assert run("report", "Outbox").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (
            ["report", "Messages"],
            InvalidInput,
            "--from: say when the report begins; --to: say when",
        ),
        (
            ["report", "Messages", "--from", "2026-03-03", "--to", "2026-03-01"],
            InvalidInput,
            "--to: the",
        ),
        (
            ["report", "Messages", "--from", "0001-01-01T00:00:00+05:00", "--to", "2026-03-01"],
            InvalidInput,
            "--from: 0001-01-01T00:00:00+05:00 lies before 1970",
        ),
        (["report", "NoSuch", *SPAN], CodeError, "-601: Unknown Report Type"),
        (["groups", "empty", "nobody", "--yes"], CodeError, "-520: Unknown Group"),
        (["groups", "delete", "nobody", "--yes"], CodeError, "-520: Unknown Group"),
        (["users", "credit", "nobody", "5"], CodeError, "-509: Unknown/Invalid User"),
        (["users", "credit", "child", "-5000"], CodeError, "-510"),
        (["users", "credit", "child", "0"], InvalidInput, "nothing would move"),
    ],
)
def test_a_refusal_is_one_line(
    run: Run, arguments: list[str], error: type[Exception], said: str
) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, error)
    assert said in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "Messages", "--from", "yesterday"], "is not a time"),
        (["users", "credit", "child", "many"], "is not an amount"),
        (["users", "credit", "child", "nan"], "is not an amount"),
        (["groups", "delete", "--yes"], "say --all"),
        (["groups", "delete", "friends", "--all", "--yes"], "say --all"),
        (["contacts", "import", "no-such-file.csv"], "No such file"),
    ],
)
def test_wrong_usage_is_said(run: Run, arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_contacts_are_imported_and_listed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(PEOPLE)
    result = run("contacts", "import", "people.csv")
    assert result.exit_code == 0
    assert result.stdout == "line,result,detail\n1,Success,\n2,Success,\n"
    listed = run("contacts", "list").stdout.splitlines()
    assert listed[0].split() == ["name", "number", "email", "groups"]
    assert listed[1].split() == ["Ada", ADA, "ada@example.com", "friends"]
    assert [each["number"] for each in read_lines(run("contacts", "list", "--json"))] == [
        ADA,
        GRACE,
    ]
    assert run("groups", "list").stdout.splitlines()[1].split() == ["friends", "2"]
    assert [each["name"] for each in read_lines(run("groups", "list", "--json"))] == [
        "friends",
        "people",
    ]


def test_an_import_that_is_not_whole_fails_after_its_results(run: Run) -> None:
    result = run("contacts", "import", "-", typed=f"{PEOPLE}\nEve,mine,\n,{ADA},\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[3:] == ["4,Failed,Invalid number (mine)", "5,Failed,No name"]
    assert "letterbox: 2 of 4 contacts were not added" in result.stderr


def test_duplicates_are_refused_unless_told_otherwise(run: Run) -> None:
    run("contacts", "import", "-", typed=PEOPLE)
    assert run("contacts", "import", "-", typed=PEOPLE).exit_code == 1
    assert run("contacts", "import", "-", "--overwrite-duplicates", typed=PEOPLE).exit_code == 0
    assert len(read_lines(run("contacts", "list", "--json"))) == 2
    assert run("contacts", "import", "-", "--ignore-duplicates", typed=PEOPLE).exit_code == 0
    assert len(read_lines(run("contacts", "list", "--json"))) == 4


def test_a_long_import_that_breaks_tells_where(run: Run, wire: Wire) -> None:
    order = {"kind": "empty", "action": "ImportContactsCSV", "skip": 1}
    wire.order("POST", "faults", [order]).raise_for_status()
    people = "".join(f"Person {n},447700900{n % 95:03d},\n" for n in range(150))
    result = run("contacts", "import", "-", "--ignore-duplicates", typed=people)
    assert len(result.stdout.splitlines()) == 101
    assert "The provider did not answer for the contacts from line 101 on" in result.stderr
    assert str(result.exception) == "The provider answered nothing at all"


def test_contacts_without_headings_are_shown_as_they_came(run: Run, wire: Wire) -> None:
    run("contacts", "import", "-", typed=PEOPLE)
    wire.order("PATCH", "switches", {"contacts_header": False}).raise_for_status()
    assert run("contacts", "list").stdout.splitlines()[0].split()[:2] == ["Ada", ADA]
    assert run("groups", "list").stdout.splitlines()[0].split() == ["friends", "2"]


@pytest.mark.parametrize(
    ("command", "left"),
    [
        (["contacts", "clear"], ["0 contacts", "2 groups"]),
        (["groups", "empty", "friends"], ["2 contacts", "2 groups"]),
        (["groups", "delete", "friends"], ["2 contacts", "1 groups"]),
        (["groups", "delete", "--all"], ["2 contacts", "0 groups"]),
    ],
)
def test_what_cannot_be_undone_asks_first(run: Run, command: list[str], left: list[str]) -> None:
    def count() -> list[str]:
        return [
            f"{len(read_lines(run(kind, 'list', '--json')))} {kind}"
            for kind in ("contacts", "groups")
        ]

    run("contacts", "import", "-", typed=PEOPLE)
    refused = run(*command, typed="n\n")
    assert refused.exit_code == 1
    assert count() == ["2 contacts", "2 groups"]
    assert run(*command, typed="y\n").exit_code == 0
    assert count() == left


def test_a_user_is_created_and_given_credits(run: Run) -> None:
    names = ("--first-name", "A", "--last-name", "B", "--email", "desk@example.com")
    command = ("users", "create", "desk", *names, "--credits", "10.5")
    typed = run(*command, typed="s3cret\ns3cret\n")
    assert typed.stdout.splitlines()[-1] == "created desk"
    piped = run("users", "create", "bell", *names, "--password-stdin", typed="s3cret\n")
    assert piped.stdout == "created bell\n"
    assert run("users", "credit", "desk", "-0.5").stdout == "took 0.5 credits back from desk\n"
    assert run("users", "credit", "bell", "2").stdout == "gave 2 credits to bell\n"
    assert run("credits").stdout == "988.00\n"


def test_what_is_off_about_a_user_is_said(run: Run) -> None:
    names = ("--first-name", "A", "--last-name", "B", "--email", "nowhere")
    result = run("users", "create", "child", *names, "--password-stdin", typed="s3cret\n")
    assert str(result.exception) == (
        "The provider answered -508: Error Creating User; Username is already in use;"
        " Email is not an email address"
    )


def test_without_a_token_the_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LETTERBOX_PROVIDER_TOKEN")
    result = run("credits")
    assert isinstance(result.exception, NoProvider)
    assert str(result.exception) == "no PROVIDER_TOKEN: set LETTERBOX_PROVIDER_TOKEN"


def test_a_provider_that_is_away_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERBOX_PROVIDER_URL", "http://127.0.0.1:1/api")
    assert isinstance(run("credits").exception, Unreachable)


def test_the_doctor_asks_for_the_credits_and_masks_the_token(run: Run, wire: Wire) -> None:
    result = run("doctor")
    assert "ok    the provider's account has 1000.00 credits" in result.stdout
    assert "LETTERBOX_PROVIDER_TOKEN=********" in result.stdout
    assert "demo-token" not in result.stdout
    wire.order("PATCH", "switches", {"maintenance": True}).raise_for_status()
    assert "fail  The provider answered -511" in run("doctor").stdout


def test_the_doctor_warns_of_pages_in_the_clear(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for url, warned in (
        ("http://127.0.0.1:8000", False),
        ("https://texts.example.com", False),
        ("http://texts.example.com", True),
    ):
        monkeypatch.setenv("LETTERBOX_PUBLIC_URL", url)
        assert ("sessions travel in the clear" in run("doctor").stdout) is warned


def test_the_doctor_warns_of_a_token_in_the_clear(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    warning = "warn  LETTERBOX_PROVIDER_URL: the token travels in the clear; use https"
    assert warning not in run("doctor").stdout
    monkeypatch.setenv("LETTERBOX_PROVIDER_URL", "http://nowhere.invalid/api")
    assert warning in run("doctor").stdout


@pytest.mark.slow
def test_the_program_ends_with_one_line_and_status_1(wire: Wire, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "provider_url": f"{wire.url}/api",
        "provider_token": "a-wrong-token",
    }
    ended = run_command(tmp_path / "data", "credits", **settings)
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("letterbox: The provider answered -501: Unknown Username/Password")
    assert "a-wrong-token" not in line


@pytest.mark.slow
def test_a_full_disk_behind_stdout_is_one_line(wire: Wire, tmp_path: Path) -> None:
    wire.order("PATCH", "switches", {"filler_rows": 1000}).raise_for_status()
    settings = make_environment(provider_url=f"{wire.url}/api", provider_token="demo-token")
    for command in (["credits"], ["report", "Messages", *SPAN]):
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                [LETTERBOX, *command],
                env=settings,
                cwd=tmp_path,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert (ended.returncode, ended.stderr) == (1, "letterbox: No space left on device\n")


@pytest.mark.slow
def test_an_import_shows_a_person_how_far_it_is(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(PEOPLE)
    settings = make_environment(provider_url=f"{wire.url}/api", provider_token="demo-token")
    ours, theirs = pty.openpty()
    try:
        ended = subprocess.run(
            [LETTERBOX, "contacts", "import", "people.csv"],
            env=settings | {"TERM": "xterm"},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
    finally:
        os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (0, "line,result,detail")
    assert b"Importing" in shown
    assert b"100%" in shown


def test_the_number_of_the_demo_is_no_magic_one(wire: Wire) -> None:
    assert wire.send(VMN).text.isdigit()


def test_reconcile_wants_a_database_first(run: Run) -> None:
    result = run("reconcile", "--from", "2026-03-01")
    assert "there is no database" in str(result.exception)


def test_reconcile_compares_beside_the_service(run: Run, wire: Wire) -> None:
    assert run("migrate").exit_code == 0
    assert run("reconcile", *SPAN).stdout == "0 texts in the report, 0 of them were missing here\n"
    shown = json.loads(run("reconcile", *SPAN, "--json").stdout)
    assert (shown["reported"], shown["missing"]) == (0, 0)
    assert run("reconcile", "--from", "2026-03-02", "--to", "2026-03-01").exit_code == 2
