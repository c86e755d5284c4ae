"""Commands that ask first: nobody is asked about what cannot be done anyway."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.domain.errors import Conflict, InvalidInput, LetterboxError, NoProvider, NotFound
from tests.cli.conftest import Run, run
from tests.cli.test_store_commands import OURS
from tests.cli.test_store_commands import run as on_database
from tests.simulator.conftest import live_client, live_url, wire

__all__ = ["live_client", "live_url", "on_database", "run", "wire"]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("numbers remove 447700900009", NotFound),
        ("members deactivate Joan", NotFound),
        ("webhooks remove whk_9", NotFound),
        ("webhooks remove 9", NotFound),
        ("notify remove ntf_9", NotFound),
        (f"erase {OURS}", InvalidInput),
        ("groups empty friends", NoProvider),
        ("groups delete --all", NoProvider),
        ("contacts clear", NoProvider),
        ("users create desk --first-name A --last-name B --email desk@example.com", NoProvider),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_asked(
    on_database: Run, monkeypatch: pytest.MonkeyPatch, command: str, error: type[LetterboxError]
) -> None:
    monkeypatch.delenv("LETTERBOX_PROVIDER_TOKEN")
    on_database("numbers", "add", OURS)
    refused = on_database(*command.split(), typed="y\n")
    assert isinstance(refused.exception, error)
    assert refused.stderr == ""


def test_the_only_admin_is_not_asked_about(on_database: Run, tmp_path: Path) -> None:
    on_database("members", "invite", "Ada", "--role", "admin")
    with closing(sqlite3.connect(tmp_path / "letterbox.sqlite3")) as connection, connection:
        connection.execute("UPDATE members SET state = 'active'")
    refused = on_database("members", "deactivate", "ada", typed="y\n")
    assert isinstance(refused.exception, Conflict)
    assert "Ada is the only active admin" in str(refused.exception)
    assert refused.stderr == ""


def test_a_group_that_the_provider_does_not_list_is_not_asked_about(run: Run) -> None:
    run("contacts", "import", "-", typed="Ada,447700900011,,friends\n")
    for command in ("empty", "delete"):
        refused = run("groups", command, "fiends", typed="y\n")
        assert str(refused.exception) == (
            "there is no group fiends; `letterbox groups list` shows them all"
        )
        assert refused.stderr == ""


def test_the_question_says_how_many_contacts_go(run: Run) -> None:
    people = "Ada,447700900011,\nGrace,447700900012,\n"
    run("contacts", "import", "-", typed=people)
    assert "Delete all 2 contacts of the" in run("contacts", "clear", typed="n\n").stderr
