"""Which rules leave others nothing to answer, and where a new rule goes."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.rules.ordering import (
    covers,
    find_shadows,
    place_after,
    place_before_catch_all,
    place_first,
    place_last,
)
from app.domain.rules.rules import Rule
from tests.conftest import NOW
from tests.support.messages import make_stored


def make_rule(number: int = 1, **fields: Any) -> Rule:
    given = {"id": number, "position": number, "name": f"rule {number}", "timezone": "UTC"}
    return Rule(**{"reply": "Hi", **given, **fields})


@pytest.mark.parametrize(
    ("first", "other", "certain"),
    [
        ({}, {"keyword": "hours"}, True),
        ({}, {"pattern": "x", "dest": "447700900100"}, True),
        ({"enabled": False}, {"keyword": "hours"}, False),
        ({"keyword": "Hours!"}, {"keyword": "HOURS"}, True),
        ({"keyword": "hours"}, {}, False),
        ({"contains": "our"}, {"contains": "HOURS"}, True),
        ({"contains": "hours"}, {"contains": "our"}, False),
        ({"contains": "hours"}, {"keyword": "hours"}, False),
        ({"pattern": "a+"}, {"pattern": "a+", "keyword": "b"}, True),
        ({"pattern": "a+"}, {"pattern": "a"}, False),
        ({"dest": "447700900100"}, {}, False),
        ({"source_prefix": "44"}, {"source_prefix": "4477"}, True),
        ({"source_prefix": "4477"}, {"source_prefix": "44"}, False),
        ({"days": ("sat",)}, {"keyword": "hours"}, False),
        ({"days": ("sat",)}, {"days": ("sat",), "keyword": "hours"}, True),
        ({"from_time": "09:00"}, {"from_time": "09:00", "timezone": "Europe/Paris"}, False),
        ({"valid_until": NOW}, {}, False),
        ({"valid_until": NOW}, {"valid_until": NOW - timedelta(days=1)}, True),
        ({"valid_from": NOW}, {"valid_from": NOW - timedelta(days=1)}, False),
    ],
)
def test_a_rule_covers_another_only_if_that_is_certain(
    first: dict[str, Any], other: dict[str, Any], certain: bool
) -> None:
    assert covers(make_rule(**first), make_rule(2, **other)) == certain


def test_a_rule_that_got_no_text_because_a_wider_one_took_them_all_is_shadowed() -> None:
    rules = [
        make_rule(1, contains="hour"),
        make_rule(2, keyword="hours"),
        make_rule(3, contains="prices"),
        make_rule(4),
    ]
    texts = [make_stored("hours"), make_stored("what hours?"), make_stored("prices")]
    shadows = find_shadows(rules, texts)
    assert {number: (each.by.id, each.taken) for number, each in shadows.items()} == {2: (1, 1)}


def test_a_catch_all_behind_rules_for_words_is_not_shadowed_by_them() -> None:
    assert find_shadows([make_rule(1, keyword="hi"), make_rule(2)], [make_stored("hi")] * 3) == {}


def test_counting_ends_in_time_and_what_is_certain_is_still_said() -> None:
    rules = [make_rule(1), make_rule(2, keyword="hours")]
    shadows = find_shadows(rules, [make_stored("hours")], is_over=lambda: True)
    assert (shadows[2].by.id, shadows[2].taken) == (1, 0)


def test_places_are_found_among_the_rules_as_they_are() -> None:
    rules = [make_rule(1, keyword="a"), make_rule(2, position=5), make_rule(3, position=6)]
    new = make_rule(0, keyword="b")
    assert place_before_catch_all(rules, new) == 5
    assert place_before_catch_all(rules, make_rule(0, dest="447700900100")) == 5
    assert place_before_catch_all(rules[:1], new) == place_last(rules[:1], new) == 2
    assert place_before_catch_all([make_rule(1, dest="1")], make_rule(0)) == 2
    assert place_first(rules, new) == 1
    assert place_first([], new) == place_last([], new) == 1
    assert place_after(1)(rules, new) == 2
    assert place_after(9)(rules, new) == 5
