"""Rules under the field names of the interface, and as YAML files."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import yaml

from app.domain.errors import InvalidInput
from app.domain.rules.rules import Rule

# All fields but the id, which the database assigns. Two names are keywords of Python.
_NAMES = {"from_time": "from", "to_time": "to"}
_ATTRIBUTES = {
    _NAMES.get(field.name, field.name): field.name for field in fields(Rule) if field.name != "id"
}
_TIMES = frozenset({"valid_from", "valid_until"})
_COUNTS = frozenset({"position", "cooldown_seconds"})
_REQUIRED = ("name", "reply")
_LARGEST_COUNT = 2**31 - 1

LONGEST_FILE = 1 << 20
MOST_RULES = 1000
# Rules have lists within mappings within a list, and fifty values each.
DEEPEST = 5
MOST_VALUES = 50 * MOST_RULES


def list_fields(rule: Rule) -> dict[str, Any]:
    """Every field but the id under its public name, as JSON values."""
    return {name: _show(getattr(rule, attribute)) for name, attribute in _ATTRIBUTES.items()}


def read_fields(given: Mapping[Any, Any], *, timezone: str) -> Rule:
    """A draft from plain values or from the text of files and forms; null leaves a field out.

    `prepare_rule` checks the values. `timezone` applies if none is given. Raises InvalidInput,
    which names the field.
    """
    for name in given:
        if name not in _ATTRIBUTES:
            known = ", ".join(_ATTRIBUTES)
            raise InvalidInput(f"there is no such field; known are {known}", field=str(name))
    for name in _REQUIRED:
        if given.get(name) is None:
            raise InvalidInput("it is missing", field=name)
    stated = {
        _ATTRIBUTES[name]: _read(name, value) for name, value in given.items() if value is not None
    }
    return Rule(**{"timezone": timezone, **stated})


def write_rules(rules: Iterable[Rule]) -> str:
    """The rules as YAML, in order, without positions and default values."""
    usual = list_fields(Rule(name="", timezone="", reply=""))
    listed = [
        {
            name: value
            for name, value in list_fields(rule).items()
            if name != "position" and value != usual[name]
        }
        for rule in rules
    ]
    text: str = yaml.safe_dump(listed, allow_unicode=True, sort_keys=False, width=1 << 20)
    return text


def read_rules(text: str, *, timezone: str) -> list[Rule]:
    """The drafts of a file, in the order in which they are tried.

    Usually the file's order; but a rule with a `position` goes there, followed by those below it
    that have none. Raises InvalidInput, which names the rule and its field.
    """
    drafts = []
    for place, given in enumerate(_parse(text), start=1):
        if not isinstance(given, dict):
            raise InvalidInput(f"rule {place}: write its fields, such as name and reply")
        try:
            drafts.append(read_fields(given, timezone=timezone))
        except InvalidInput as error:
            raise name_rule(error, place, given.get("name")) from None
    placed, position = [], 0
    for draft in drafts:
        position = draft.position or position
        placed.append((position, draft))
    return [draft for _, draft in sorted(placed, key=lambda each: each[0])]


def name_rule(error: InvalidInput, place: int, name: object) -> InvalidInput:
    """The same error, with the rule of the file that it is about."""
    which = f"rule {place} ({name})" if name else f"rule {place}"
    where = f"{error.field}: " if error.field else ""
    return InvalidInput(f"{which}: {where}{error}", field=error.field)


def list_changes(old: Rule, new: Rule) -> dict[str, list[Any]]:
    """The fields that differ, each with its old and new value."""
    before, after = list_fields(old), list_fields(new)
    return {name: [before[name], after[name]] for name in before if before[name] != after[name]}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # the library has no types
    """Reads everything except null as text: `no` is a word; 10:00 and 447700900100 are not numbers.

    Limited to what rules need: with aliases a few lines can expand to gigabytes, and parsing large
    non-decimal numbers takes hours.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 the library's
    yaml_constructors: dict[str | None, Any] = {  # noqa: RUF012
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (None, *(f"tag:yaml.org,2002:{name}" for name in ("null", "str", "seq", "map")))
    }
    depth = values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        self.values += 1
        event = self.peek_event()
        problem = None
        if isinstance(event, yaml.AliasEvent):
            problem = f"write out what *{event.anchor} stands for"
        elif self.depth > DEEPEST:
            problem = "this is nested too deeply for a rule"
        elif self.values > MOST_VALUES:
            problem = f"the file is too large: it may have at most {MOST_RULES} rules"
        if problem:
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for name in (name for name, count in names.items() if count > 1):
            raise yaml.constructor.ConstructorError(
                None, None, f"{name} is given twice", node.start_mark
            )
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return found


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


def _parse(text: str) -> list[Any]:
    if len(text) > LONGEST_FILE:
        raise InvalidInput("the file is too long: at most 1 MiB")
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"not valid YAML{where}: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(f"not valid YAML: {str(error).splitlines()[0]}") from None
    if found is None:
        return []
    if isinstance(found, dict):  # a lone rule
        return [found]
    if not isinstance(found, list):
        raise InvalidInput("write a list of rules: each begins with a hyphen, like - name: Hours")
    if len(found) > MOST_RULES:
        raise InvalidInput(f"at most {MOST_RULES} rules")
    return found


def _show(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else value


def _read(name: str, value: Any) -> Any:
    if name == "enabled":
        return _read_bool(value)
    if name in _COUNTS:
        return _read_count(name, value)
    if name in _TIMES:
        return _read_time(name, value)
    if name == "days":
        if not isinstance(value, list) or not all(isinstance(day, str) for day in value):
            raise InvalidInput("write a list of days, like [mon, tue]", field=name)
        return tuple(value)
    return _read_text(name, value)


def _read_bool(value: Any) -> bool:
    known = {"true": True, "false": False}
    text = str(value).lower()
    if text not in known:
        raise InvalidInput("write true or false", field="enabled")
    return known[text]


def _read_count(name: str, value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > _LARGEST_COUNT:
        raise InvalidInput("write a whole number, 0 or more", field=name)
    return int(text)


def _read_time(name: str, value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(str(value))
        if time.tzinfo is None:
            raise ValueError(value)
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            "write a time with its offset, like 2026-06-01T12:00:00Z", field=name
        ) from None


def _read_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput("write a text", field=name)
    if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
        raise InvalidInput("it contains a character that cannot be stored", field=name)
    return value
