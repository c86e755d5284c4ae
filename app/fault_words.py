"""What is wrong with a field, in our words: the library that checks fields has words for programs.

A fault is its kind, as pydantic names it, what was given, and the bounds that do not hold.
"""

from collections.abc import Mapping
from typing import Any

_TIME = "write a time such as 2026-06-01T12:00:00Z"
# By the beginning of the kind; the first that fits.
_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "string": "write a text",
    "int": "write a whole number",
    "float": "write a number",
    "decimal": "write a number",
    "finite_number": "write a number that is finite",
    "bool": "write true or false",
    "list": "write a list",
    "tuple": "write a list",
    "set": "write a list",
    "frozen_set": "write a list",
    "dict": "write an object",
    "mapping": "write an object",
    "model": "write an object",
    "datetime": _TIME,
    "timezone": _TIME,
    "date": "write a day such as 2026-06-01",
    "none_required": "write null, or leave it out",
}
_BOUNDS = {
    "greater_than": ("gt", "write a number above {}"),
    "greater_than_equal": ("ge", "write {} or more"),
    "less_than": ("lt", "write a number below {}"),
    "less_than_equal": ("le", "write {} or less"),
    "literal_error": ("expected", "write {}"),
    "enum": ("expected", "write {}"),
    "string_pattern_mismatch": ("pattern", "write it in the form {}"),
    "json_invalid": ("error", "it is not valid JSON: {}"),
}
_LENGTHS = {
    "too_long": ("max_length", "at most"),
    "too_short": ("min_length", "at least"),
}


def describe_fault(kind: str, given: object, bounds: Mapping[str, Any], message: str) -> str:
    """`message` is the library's own, used where the check itself is ours."""
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind.removeprefix("string_") in _LENGTHS:
        return _describe_length(kind, given, bounds)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        bound = bounds[name]
        return words.format(f"{bound:g}" if isinstance(bound, float) else bound)
    for beginning, words in _WORDS.items():
        if kind == beginning or kind.startswith(f"{beginning}_"):
            return words
    return "it cannot be read"


def _describe_length(kind: str, given: object, bounds: Mapping[str, Any]) -> str:
    name, least_or_most = _LENGTHS[kind.removeprefix("string_")]
    count = bounds[name]
    if isinstance(given, str):
        unit = "character" if count == 1 else "characters"
        return f"write a text of {least_or_most} {count} {unit}"
    return f"write {least_or_most} {count} {'entry' if count == 1 else 'entries'}"
