"""`letterbox send`, `status` and `cancel`, beside a service that they need not reach."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from app.domain.errors import (
    InvalidFields,
    InvalidInput,
    LetterboxError,
    NoProvider,
    NotFound,
    ReusedKey,
)
from tests.cli.conftest import invoke

Run = Callable[..., Result]
ADA, GRACE, SHOP = "447700900011", "447700900012", "447700900001"


@pytest.fixture
def run(own_database: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a database of its own, for an account whose provider is away."""
    monkeypatch.setenv("LETTERBOX_PROVIDER_TOKEN", "demo-token")
    monkeypatch.setenv("LETTERBOX_PROVIDER_URL", "http://127.0.0.1:9/api")
    return invoke


def queue(run: Run, *arguments: str) -> None:
    result = run("send", *arguments, "--source", SHOP, "--body", "Hello")
    assert result.exit_code == 0, result.exception


def test_send_queues_a_text_for_each_number_and_says_who_sends_it(run: Run) -> None:
    result = run("send", "07700 900011", f"+{GRACE}", "--source", SHOP, "--body", "Hello")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1:] == [["out_1", ADA, "1", "queued"], ["out_2", GRACE, "1", "queued"]]
    assert "the running service sends it" in result.stderr


def test_send_as_json_is_what_the_interface_answers(run: Run) -> None:
    result = run("send", ADA, "--source", "Shop", "--body", "-", "--json", typed="Hello Ada 😀\n")
    answer = json.loads(result.stdout)
    assert (answer["parts"], answer["estimated_credits"], answer["warnings"]) == (1, 1, [])
    [item] = answer["items"]
    assert (item["to"], item["source"], item["body"]) == (ADA, "Shop", "Hello Ada 😀")


def test_status_shows_a_text_and_what_it_went_through(run: Run) -> None:
    queue(run, ADA)
    shown = json.loads(run("status", "out_1", "--json").stdout)
    assert (shown["id"], shown["status"], shown["calls"]) == ("out_1", "queued", [])
    [step] = shown["history"]
    assert step["told_by"].startswith("cli")
    told = run("status", "out_1")
    assert told.exit_code == 0
    assert ["status", "queued"] in [line.split() for line in told.stdout.splitlines()]


def test_cancel_ends_what_waits_here(run: Run) -> None:
    queue(run, ADA)
    assert run("cancel", "out_1").stdout == "out_1 is cancelled\n"
    assert json.loads(run("cancel", "out_1", "--json").stdout)["status"] == "cancelled"


def test_the_same_key_queues_nothing_twice(run: Run) -> None:
    first = run("send", ADA, "--source", SHOP, "--body", "Hi", "--idempotency-key", "k", "--json")
    again = run("send", ADA, "--source", SHOP, "--body", "Hi", "--idempotency-key", "k", "--json")
    assert again.stdout == first.stdout
    assert "nothing new was queued" in again.stderr
    other = run("send", ADA, "--source", SHOP, "--body", "Ho", "--idempotency-key", "k")
    assert isinstance(other.exception, ReusedKey)


def test_lists_and_groups_are_named_and_noted(run: Run) -> None:
    result = run("send", "--list", "people", "--source", SHOP, "--body", "Hello")
    assert "list people" in result.stdout
    assert "opt-outs cannot be checked" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["send", "nonsense", "--source", SHOP, "--body", "x"], InvalidFields),
        (["send", ADA, "--source", SHOP, "--body", "x" * 460], InvalidInput),
        (["send", ADA, "--source", SHOP, "--body", "x", "--source-ton", "2"], InvalidInput),
        (["send", "--source", SHOP, "--body", "x"], InvalidInput),
        (["send", ADA, "--source", SHOP, "--body", "x", "--in-reply-to", "msg_9"], InvalidInput),
        (["send", ADA, "--source", SHOP, "--body", "x", "--in-reply-to", "9"], InvalidInput),
        (["status", "out_9"], NotFound),
        (["status", "nonsense"], NotFound),
        (["cancel", "out_9"], NotFound),
    ],
)
def test_what_goes_wrong_is_one_line(
    run: Run, arguments: list[str], error: type[LetterboxError]
) -> None:
    result = run(*arguments)
    assert (result.exit_code, type(result.exception)) == (1, error)
    assert "\n" not in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["send", ADA, "--source", SHOP],
        ["send", ADA, "--source", SHOP, "--body", "x", "--schedule-by", "nobody"],
        ["send", ADA, "--source", SHOP, "--body", "x", "--schedule-at", "soon"],
        ["send", ADA, "--source", SHOP, "--body", "x", "--validity-seconds", "0"],
        ["status"],
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_without_an_account_nothing_is_queued(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LETTERBOX_PROVIDER_TOKEN")
    result = run("send", ADA, "--source", SHOP, "--body", "x")
    assert isinstance(result.exception, NoProvider)
    assert isinstance(run("status", "out_1").exception, NotFound)
