"""Where a rule goes in the order in which rules are asked, and which rules never get to answer."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.domain.inbound.messages import StoredMessage
from app.domain.keywords import fold_text, fold_word
from app.domain.rules.patterns import Search, search_pattern
from app.domain.rules.rules import Rule, sort_rules

# The position of a rule among the others, which are in their order.
Place = Callable[[Sequence[Rule], Rule], int]


@dataclass(frozen=True, slots=True)
class Shadow:
    """An earlier rule that answers whatever a rule would; it took `taken` of the recent texts that
    match both.
    """

    by: Rule
    taken: int


def place_last(others: Sequence[Rule], rule: Rule) -> int:  # noqa: ARG001 one of several places
    """Behind all others."""
    return others[-1].position + 1 if others else 1


def place_first(others: Sequence[Rule], rule: Rule) -> int:  # noqa: ARG001
    """Before all others."""
    return others[0].position if others else 1


def place_before_catch_all(others: Sequence[Rule], rule: Rule) -> int:
    """Before the first rule that answers any text: a rule behind it would never be asked.

    A rule that answers any text itself goes before the first one that leaves it nothing.
    """
    for other in others:
        if other.takes_any_words and (not rule.takes_any_words or covers(other, rule)):
            return other.position
    return place_last(others, rule)


def place_after(rule_id: int) -> Place:
    """Behind that rule; where it is gone, as usual."""

    def place(others: Sequence[Rule], rule: Rule) -> int:
        found = next((each for each in others if each.id == rule_id), None)
        return place_before_catch_all(others, rule) if found is None else found.position + 1

    return place


def covers(first: Rule, other: Rule) -> bool:
    """Whether every text that the other rule matches is certain to match the first one."""
    return (
        first.enabled
        and first.dest in (None, other.dest)
        and (other.source_prefix or "").startswith(first.source_prefix or "")
        and _covers_times(first, other)
        and _covers_words(first, other)
    )


def _covers_times(first: Rule, other: Rule) -> bool:
    hours = (first.days, first.from_time, first.to_time)
    same_hours = (*hours, first.timezone) == (
        other.days,
        other.from_time,
        other.to_time,
        other.timezone,
    )
    begins = first.valid_from is None or (
        other.valid_from is not None and other.valid_from >= first.valid_from
    )
    ends = first.valid_until is None or (
        other.valid_until is not None and other.valid_until <= first.valid_until
    )
    return (hours == (None, None, None) or same_hours) and begins and ends


def _covers_words(first: Rule, other: Rule) -> bool:
    has_keyword = first.keyword is None or (
        other.keyword is not None and fold_word(first.keyword) == fold_word(other.keyword)
    )
    contains = first.contains is None or (
        other.contains is not None and fold_text(first.contains) in fold_text(other.contains)
    )
    return has_keyword and contains and first.pattern in (None, other.pattern)


def find_shadows(
    rules: Iterable[Rule],
    texts: Iterable[StoredMessage],
    search: Search = search_pattern,
    *,
    is_over: Callable[[], bool] = lambda: False,
) -> dict[int, Shadow]:
    """The enabled rules that another one shadows, by id.

    It certainly does if it covers them; it seems to if it took all the texts that they match, and
    others besides. When `is_over` returns true, the counts are of the texts looked at so far.
    """
    ordered = [rule for rule in sort_rules(rules) if rule.enabled]
    matched: Counter[int] = Counter()
    taken: Counter[tuple[int, int]] = Counter()
    for text in texts:
        if is_over():
            break
        matching = [rule for rule in ordered if rule.matches(text, search)]
        matched.update(rule.id for rule in matching)
        taken.update((rule.id, matching[0].id) for rule in matching[1:])
    shadows = {}
    for place, rule in enumerate(ordered):
        for first in ordered[:place]:
            count = taken[rule.id, first.id]
            takes_all = 0 < count == matched[rule.id] < matched[first.id]
            if takes_all or covers(first, rule):
                shadows[rule.id] = Shadow(first, count)
                break
    return shadows
