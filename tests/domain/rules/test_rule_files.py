"""Rules as YAML: what is written is read back, and what is off is named."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.errors import InvalidInput
from app.domain.rules.rule_files import (
    LONGEST_FILE,
    MOST_RULES,
    list_changes,
    list_fields,
    read_fields,
    read_rules,
    write_rules,
)
from app.domain.rules.rules import Rule

FULL = Rule(
    name="Desk: 'open'",
    enabled=False,
    position=3,
    dest="447700900100",
    keyword="no",
    contains="null",
    pattern=r"^\d+: #",
    source_prefix="4477",
    days=("mon", "sun"),
    from_time="10:00",
    to_time="09:00",
    timezone="Asia/Kolkata",
    valid_from=datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
    valid_until=datetime(2026, 6, 1, 12, 0, 0, 5, tzinfo=UTC),
    cooldown_seconds=60,
    source="0123",
    reply="Two\nlines, {name|there}: \U0001f600 " + "and many words " * 20,
)
PLAIN = Rule(name="Plain", timezone="UTC", reply="yes")


def test_what_is_written_is_read_back() -> None:
    text = write_rules([FULL, PLAIN])
    read = read_rules(text, timezone="Europe/London")
    assert [list_fields(rule) for rule in read] == [
        {**list_fields(FULL), "position": 0},
        list_fields(PLAIN),
    ]
    assert write_rules(read) == text
    assert write_rules([PLAIN]) == "- name: Plain\n  timezone: UTC\n  reply: 'yes'\n"


def test_words_that_yaml_takes_for_something_else_are_words() -> None:
    text = "- {name: On, keyword: no, from: 10:00, dest: 07700900100, contains: null, reply: yes}"
    [rule] = read_rules(text, timezone="UTC")
    assert (rule.name, rule.keyword, rule.from_time) == ("On", "no", "10:00")
    assert (rule.dest, rule.contains, rule.reply) == ("07700900100", None, "yes")


def test_rules_are_in_the_files_order_unless_they_state_positions() -> None:
    def order(*positions: str) -> list[str]:
        lines = [f"- {{name: {name}, reply: x{p}}}\n" for name, p in zip("abcd", positions)]  # noqa: B905 the shorter
        return [rule.name for rule in read_rules("".join(lines), timezone="UTC")]

    assert order("", "", "") == ["a", "b", "c"]
    assert order(", position: 2", "", ", position: 1") == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("enabled", "maybe"),
        ("position", "-1"),
        ("cooldown_seconds", "1.5"),
        ("cooldown_seconds", "9" * 20),
        ("days", "mon"),
        ("days", [["mon"]]),
        ("valid_from", "2026-06-01"),
        ("valid_until", "soon"),
        ("name", ["x"]),
        ("name", None),
        ("reply", "\0"),
        ("id", "rul_1"),
    ],
)
def test_a_value_that_is_off_is_named_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_fields({"name": "x", "reply": "y", field: value}, timezone="UTC")
    assert caught.value.field == field


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "- \0",
        "- {name: a, name: b, reply: x}",
        "- ? [a]\n  : b",
        "- !!python/object:os.system x",
        "- !!int x",
        "- &a [*a]",
        "- x",
        "x" * (1 << 21),
        "- {name: x, reply: y}\n" * 1001,
        "&a\n- *b",
    ],
)
def test_no_file_does_harm(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_rules(text, timezone="UTC")


def test_an_empty_file_holds_no_rule() -> None:
    assert read_rules("# none\n", timezone="UTC") == []


def test_changes_are_pairs_of_before_and_after() -> None:
    changed = Rule(name="Plain", timezone="UTC", reply="no", days=("mon",))
    assert list_changes(PLAIN, changed) == {"reply": ["yes", "no"], "days": [None, ["mon"]]}


BOMB = "\n".join(
    ["- name: x", "  reply: &a0 [x, x, x, x]"]
    + [f"  b{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30)]
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "not valid YAML in line 3: write out what *a0 stands for"),
        ("&a [*a]", "not valid YAML in line 1: write out what *a stands for"),
        ("- <<: &a {name: x}\n- *a", "not valid YAML in line 2: write out what *a stands for"),
        ("[" * 900_000, "not valid YAML in line 1: this is nested too deeply for a rule"),
        ("- " * 500_000, "not valid YAML in line 1: this is nested too deeply for a rule"),
        ("{a: " * 200_000, "not valid YAML in line 1: this is nested too deeply for a rule"),
        (
            f"[{'a,' * 300_000}]",
            "not valid YAML in line 1: the file is too large: it may have at most 1000 rules",
        ),
        (
            f"!!int {'1:' * 500_000}1",
            "not valid YAML in line 1: could not determine a constructor for",
        ),
        (
            "!!python/name:os.system x",
            "not valid YAML in line 1: could not determine a constructor for",
        ),
        ("x" * (LONGEST_FILE + 1), "the file is too long: at most 1 MiB"),
    ],
)
@pytest.mark.slow
def test_no_file_takes_long_or_much_memory(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rules(text, timezone="UTC")
    assert str(caught.value).startswith(told)


@pytest.mark.slow
def test_as_many_rules_as_may_be_can_be_read_again() -> None:
    rules = [replace(FULL, name=f"rule {number}") for number in range(MOST_RULES)]
    assert len(read_rules(write_rules(rules), timezone="UTC")) == MOST_RULES
