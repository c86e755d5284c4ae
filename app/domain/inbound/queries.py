"""What messages can be searched by, decided in one place for both databases."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter, eq, ge, lt
from typing import Any

from app.domain.keywords import fold_text


def has_words(body: str, words: Sequence[str]) -> bool:
    """Whether a text holds every one of these folded words."""
    folded = fold_text(body)
    for word in words:  # noqa: SIM110 `all` takes twice as long, and each text read comes here
        if word not in folded:
            return False
    return True


# The column that each condition looks at, and when its value meets the condition; slow ones last.
_TESTS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "source": ("source", eq),
    "dest": ("dest", eq),
    "since": ("received_at", ge),
    "until": ("received_at", lt),
    "via": ("via", eq),
    "unread": ("read_at", lambda read_at, unread: (read_at is None) == unread),
    "outcome": ("outcome_code", eq),
    "rule_id": ("rule_id", eq),
    "provider_id": ("provider_id", eq),
    "has_problems": ("problems", lambda codes, wanted: bool(codes) == wanted),
    "problem": ("problems", lambda codes, code: code in codes.split()),
    "merge_fields": ("merge_fields", lambda fields, wanted: wanted.items() <= fields.items()),
    "words": ("body", has_words),
}


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """All conditions that are given must hold.

    `since` is inclusive and `until` exclusive, both of received_at; `words` are folded, and each
    must be a substring of the body.
    """

    source: str | None = None
    dest: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    words: tuple[str, ...] = ()
    problem: str | None = None
    has_problems: bool | None = None
    via: str | None = None
    unread: bool | None = None
    outcome: str | None = None
    rule_id: int | None = None
    provider_id: str | None = None
    merge_fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that `matches` looks at."""
        return tuple(dict.fromkeys(column for column, _, _ in self._list_tests()))

    def make_test(self) -> Callable[[Any], bool]:
        """A function that says whether a row with those columns meets the conditions.

        Made once for a search, which asks it of thousands of rows.
        """
        tests = [(attrgetter(name), test, wanted) for name, test, wanted in self._list_tests()]

        def matches(message: Any) -> bool:
            for get, test, wanted in tests:  # noqa: SIM110 `all` takes half as long again
                if not test(get(message), wanted):
                    return False
            return True

        return matches

    def _list_tests(self) -> Iterator[tuple[str, Callable[[Any, Any], bool], Any]]:
        for name, (column, test) in _TESTS.items():
            wanted = getattr(self, name)
            if wanted is not None and wanted != () and wanted != {}:
                yield column, test, wanted


def fold_words(q: str) -> tuple[str, ...]:
    """The folded words of a search."""
    return tuple(fold_text(q).split())
