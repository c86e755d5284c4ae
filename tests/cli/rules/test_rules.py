"""`letterbox rules`: a file of rules that is the whole truth, and drafts that are tried."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from typer.testing import Result

from app.domain.errors import InvalidInput, NotFound
from tests.cli.conftest import invoke

Run = Callable[..., Result]

HOURS = "- name: Hours\n  keyword: hours\n  from: 10:00\n  to: '22:00'\n  reply: We are open.\n"
OTHER = "- name: Else\n  reply: Hello {name|there}\n"


@pytest.fixture
def run(own_database: None) -> Run:
    """Run `letterbox rules` on a database of its own."""
    return partial(invoke, "rules")


def test_a_file_of_rules_goes_in_and_comes_out_again(run: Run) -> None:
    assert run("import", "-", typed=HOURS + OTHER).stdout == "add Hours\nadd Else\n"
    exported = run("export").stdout
    again = run("import", "-", typed=exported)
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "nothing changes\n")
    rules = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [(rule["name"], rule["position"]) for rule in rules] == [("Hours", 1), ("Else", 2)]
    assert (rules[0]["from"], rules[0]["to"], rules[0]["timezone"]) == (
        "10:00",
        "22:00",
        "Europe/London",
    )
    assert "keyword=hours from=10:00 to=22:00" in run("list").stdout


def test_a_known_name_is_changed_and_what_the_file_lacks_goes(run: Run) -> None:
    run("import", "-", typed=HOURS + OTHER)
    changed = OTHER.replace("Hello", "Hi") + "- name: New\n  reply: New\n"
    planned = run("import", "-", "--dry-run", typed=changed).stdout
    assert planned == "change Else: reply\nadd New\nremove Hours\n"
    assert "Hours" in run("list").stdout
    assert run("import", "file.yaml").exit_code == 2
    Path("file.yaml").write_text(changed)
    asked = run("import", "file.yaml", typed="n\n")
    assert asked.exit_code == 1
    assert "The file does not have Hours" in asked.stderr
    assert run("import", "file.yaml", "--yes").stdout == planned
    assert [rule["id"] for rule in map(json.loads, run("list", "--json").stdout.splitlines())] == [
        "rul_2",
        "rul_3",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OTHER + "- name: Two\n", "rule 2 (Two): reply: it is missing"),
        (OTHER + "- name: Two\n  reply: '{nmae}'\n", "rule 2 (Two): reply: no placeholder"),
        ("- name: x\n  reply: y\n  keywrod: z\n", "rule 1 (x): keywrod: there is no such field"),
        ("- name: x\n reply: y\n", "not valid YAML in line 2"),
        ("just words", "write a list of rules"),
    ],
)
def test_a_file_that_is_off_changes_nothing_and_is_told_where(
    run: Run, text: str, said: str
) -> None:
    result = run("import", "-", typed=text)
    assert isinstance(result.exception, InvalidInput)
    assert said in str(result.exception)
    assert run("list", "--json").stdout == ""


def test_a_draft_is_tried_in_the_place_of_the_rule_with_its_name(run: Run) -> None:
    run("import", "-", typed=OTHER)
    found = json.loads(run("try", "-", "--json", typed=OTHER).stdout)
    assert (found["tried"], found["matched"], found["replies"]) == (0, 0, [])
    assert "0 texts, 0 for this rule: 0 answered" in run("try", "-", typed=OTHER).stderr
    assert isinstance(run("try", "-", "--id", "rul_9", typed=OTHER).exception, NotFound)
    assert isinstance(run("try", "-", typed=OTHER + HOURS).exception, InvalidInput)
