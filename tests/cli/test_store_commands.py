"""The commands over what is stored: secrets shown once, removals that ask, files for people."""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import Result

from app.domain.errors import LetterboxError
from app.domain.inbound.messages import make_number_key
from app.storage.spool.quarantine import refuse
from tests.cli.conftest import invoke
from tests.conftest import NOW
from tests.support.storage.spools import drain_all, write_dead_spool

Run = Callable[..., Result]
OURS = "447700900001"


@pytest.fixture
def run(own_database: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LETTERBOX_PROVIDER_TOKEN", "demo-token")
    return invoke


def count_numbers(run: Run) -> int:
    return len(run("numbers", "list", "--json").stdout.splitlines())


def test_a_number_is_removed_once_somebody_agreed(run: Run) -> None:
    run("numbers", "add", OURS)
    for typed in ("", "n\n"):
        refused = run("numbers", "remove", OURS, typed=typed)
        assert (refused.exit_code, count_numbers(run)) == (1, 1)
        assert "removed" not in refused.stdout
    assert f"removed {OURS}\n" in run("numbers", "remove", OURS, typed="y\n").stdout
    assert count_numbers(run) == 0
    run("numbers", "add", OURS)
    assert run("numbers", "remove", OURS, "--yes").stdout == f"removed {OURS}\n"


def test_a_number_is_listed_with_its_last_text_whatever_auth_value_that_came_with(
    run: Run, tmp_path: Path
) -> None:
    run("numbers", "add", OURS)
    assert "never" in run("numbers", "list").stdout
    row = (make_number_key(OURS), OURS, int(NOW.timestamp() * 1e6))
    with closing(sqlite3.connect(tmp_path / "letterbox.sqlite3")) as connection:
        connection.execute("INSERT INTO number_last_seen VALUES (?, ?, ?)", row)
        connection.commit()
    assert f"{NOW:%Y-%m-%d %H:%M}" in run("numbers", "list").stdout


@pytest.mark.parametrize(
    "command",
    [
        ["keys", "create", "till", "--scope", "messages:read"],
        ["numbers", "add", "07700 900002"],
        ["numbers", "rotate-auth", OURS],
    ],
)
def test_whoever_makes_a_secret_is_told_that_it_is_shown_once(run: Run, command: list[str]) -> None:
    run("numbers", "add", OURS)
    made = run(*command)
    assert "not shown again" in made.stderr
    assert re.fullmatch(r"[\w-]{43,}", made.stdout.splitlines()[-1])
    assert "shown only" not in made.stdout


def test_a_file_for_people_says_that_it_is_utf_8(run: Run) -> None:
    for kind, first in (("messages", "id"), ("outbound", "id")):
        written = run("export", kind).stdout_bytes
        assert written.startswith(b"\xef\xbb\xbfid,")
        [headings] = csv.reader(io.StringIO(written.decode("utf-8-sig")))
        assert headings[0] == first
        assert run("export", kind, "--format", "jsonl").stdout_bytes == b""


def test_the_outbox_is_exported_by_its_filters(run: Run) -> None:
    for to, body in (("07700 900011", "One"), ("07700 900012", "Two")):
        assert run("send", to, "--body", body, "--source", OURS).exit_code == 0
    assert run("cancel", read_rows(run)[0]["id"]).exit_code == 0
    assert [row["body"] for row in read_rows(run)] == ["Two", "One"]
    assert [row["to"] for row in read_rows(run, "--status", "queued")] == ["447700900011"]
    assert [row["body"] for row in read_rows(run, "--to", "+44 7700 900012")] == ["Two"]
    assert read_rows(run, "--source", "Elsewhere") == []
    exported = run("export", "outbound", "--format", "jsonl").stdout
    assert [json.loads(line)["status"] for line in exported.splitlines()] == ["cancelled", "queued"]


def read_rows(run: Run, *filters: str) -> list[dict[str, str]]:
    written = run("export", "outbound", *filters).stdout_bytes.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(written)))


def test_doctor_tells_what_lies_in_the_spool_and_takes_nothing_of_it(
    run: Run, tmp_path: Path
) -> None:
    root = tmp_path / "spool"
    assert "spool" not in run("doctor").stdout
    write_dead_spool(root, [b"one"], [b"two", b"three"])
    refuse(root, b"a record", "for a test")
    write_dead_spool(root, [b"four"], name="other.1").write_bytes(b"garbage")
    for _ in range(2):
        said = run("doctor").stdout
        assert "3 messages wait in the spool: `serve` stores them" in said
        assert "1 messages could not be stored" in said
        assert "files of the spool lost messages" in said
    assert sorted(drain_all(root)) == [b"one", b"three", b"two"]


@pytest.mark.parametrize("written", ["07700 900011", "+44 7700 900011", "447700900011"])
def test_a_person_is_exported_by_their_number_in_any_form(run: Run, written: str) -> None:
    assert run("send", "07700 900011", "--body", "Hello", "--source", OURS).exit_code == 0
    exported = run("export", "person", written)
    document = json.loads(exported.stdout_bytes)
    assert (exported.exit_code, exported.stderr, document["number"]) == (0, "", "447700900011")
    assert [each["body"] for each in document["outbound"]] == ["Hello"]


def test_of_a_person_of_whom_nothing_is_known_the_document_is_empty(run: Run) -> None:
    exported = run("export", "person", "07700 900012")
    assert exported.exit_code == 0
    assert exported.stderr == "letterbox: nothing is stored about 447700900012\n"
    document = json.loads(exported.stdout_bytes)
    assert document["messages"] == document["outbound"] == document["mentions"] == []
    assert run("export", "person", " ").exit_code == 1


def test_an_export_says_what_still_waits_in_the_spool(run: Run, tmp_path: Path) -> None:
    write_dead_spool(tmp_path / "spool", [b"one"], [b"two"])
    assert "2 messages in the spool are not in this file" in run("export", "person", OURS).stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{folder}/letterbox.sqlite3", "names the database that"),
        ("{folder}/absent/new.sqlite3", "--to: there is no folder {folder}/absent"),
        ("{folder}/notes.txt", "--to: {folder}/notes.txt is no SQLite file"),
        ("{folder}", "--to: {folder} is no SQLite file"),
    ],
)
def test_a_move_to_what_is_no_new_database_is_refused_in_a_line(
    run: Run, tmp_path: Path, target: str, said: str
) -> None:
    (tmp_path / "notes.txt").write_text("not a database")
    refused = run("move", "--to", f"sqlite:///{target.format(folder=tmp_path)}")
    assert isinstance(refused.exception, LetterboxError)
    assert said.format(folder=tmp_path) in str(refused.exception)


def test_what_is_no_database_or_of_another_release_is_not_moved(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "letterbox.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
        connection.commit()
    older = run("move", "--to", f"sqlite:///{tmp_path}/new.sqlite3")
    assert "run `letterbox migrate` first" in str(older.exception)
    path.write_text("not a database")
    garbage = run("move", "--to", f"sqlite:///{tmp_path}/new.sqlite3")
    assert "cannot be used (file is not a database)" in str(garbage.exception)
