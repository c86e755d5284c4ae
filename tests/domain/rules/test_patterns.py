"""What patterns find, and what they may cost."""

import time

import pytest

from app.domain.errors import InvalidInput
from app.domain.rules.patterns import (
    MOST_SECONDS,
    Unprepared,
    check_cost,
    check_pattern,
    find_all,
    search_pattern,
)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:.?){900}x",
        "(?:a?){500}b",
        "(?:\U0001f642?){250}x",
        ".{900}x",
        "(?:.{0,100}){9}x",
        r"(?:\w.?){400}!",
        "(?:(?:z{0,30}){0,30})y",
        "(?:\u00e9?){400}b",
        "(?:(?:.?){30}){30}x",
        "(?i:(?:q?){500})z",
        r"(?:\pL?){12}(?:.?){800}x",
    ],
)
def test_a_pattern_that_takes_long_on_some_text_is_refused_and_quickly(pattern: str) -> None:
    began = time.thread_time()
    with pytest.raises(InvalidInput) as raised:
        check_cost(pattern, time.thread_time)
    assert raised.value.field == "pattern"
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    "pattern",
    [
        "hello",
        r"\bor?der\s+#?\d+",
        r"^(?:\+44|0)7\d{9}$",
        r"\b(mon|tues|wednes|thurs|fri|satur|sun)day\b",
        r"(a|a)*(a|aa)+$",
        r".*\bhours?\b.*\b(sunday|weekend)\b.*",
        r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}",
        r"\pL+ \pL+",
        "caf\u00e9|th\u00e9",
        "|".join(f"word{number}" for number in range(60)),
    ],
)
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    check_cost(pattern, time.thread_time)


def test_a_pattern_is_too_slow_only_where_it_is_so_twice() -> None:
    def tell(*seconds: float) -> list[float]:
        times = [0.0]
        for each in seconds:
            times += [times[-1] + each, times[-1] + each]
        return times

    hiccup = iter(tell(1.0, *[0.0] * 50))
    check_cost("hello", lambda: next(hiccup))
    slow = iter(tell(*[2 * MOST_SECONDS] * 50))
    with pytest.raises(InvalidInput):
        check_cost("hello", lambda: next(slow))


def test_a_large_program_is_refused_before_it_is_tried() -> None:
    with pytest.raises(InvalidInput, match="too large"):
        check_pattern("(?:.?){900}x")


def test_what_was_not_looked_up_is_not_looked_up_late() -> None:
    search = find_all(["a", "b"], ["abc", "xyz"])
    assert search("a", "abc")
    assert not search("b", "xyz")
    for pattern, body in (("c", "abc"), ("a", "other")):
        with pytest.raises(Unprepared):
            search(pattern, body)


def test_half_a_character_in_a_text_is_no_obstacle() -> None:
    assert search_pattern("a", "a\ud800")
