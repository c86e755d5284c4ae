"""A quick search finds every pattern that matches, and few that do not."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.keywords import split_words
from app.domain.rules.refusals.phrases import _COMPILED
from app.domain.rules.refusals.quick_search import QuickSearch
from app.domain.rules.refusals.words import KNOWN, REWRITES
from tests.domain.rules.refusals.sentences import SENTENCES
from tests.domain.rules.refusals.written import REFUSED
from tests.domain.rules.refusals.written_doubtful import DOUBTFUL
from tests.domain.rules.refusals.written_ordinary import ORDINARY

TABLES = {
    "rewrites": [pattern for pattern, _ in REWRITES],
    "phrases": [pattern for _, pattern in _COMPILED],
}
WORDS = st.sampled_from([*sorted(KNOWN), "caf\u00e9", "m\u00e1s", "no", "mensajes", "to", "list"])


def list_matching(patterns: list[re.Pattern[str]], text: str) -> set[int]:
    return {place for place, pattern in enumerate(patterns) if pattern.search(text)}


@pytest.mark.parametrize("name", TABLES)
def test_what_people_write_is_found(name: str) -> None:
    patterns = TABLES[name]
    quick = QuickSearch(each.pattern for each in patterns)
    found = matching = 0
    for written in [*SENTENCES, *REFUSED, *DOUBTFUL, *ORDINARY]:
        text = " ".join(split_words(written))
        places = quick.find(text)
        assert list_matching(patterns, text) <= {*places}, text
        assert [*places] == sorted(places)
        found += len(places)
        matching += len(list_matching(patterns, text))
    assert matching > 100
    assert found < 1.5 * matching


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12))
def test_whatever_known_words_stand_side_by_side(words: list[str]) -> None:
    text = " ".join(words)
    for patterns in TABLES.values():
        quick = QuickSearch(each.pattern for each in patterns)
        assert list_matching(patterns, text) <= {*quick.find(text)}


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        (r"\bstop(?= texting)\b", "please stop texting", True),
        (r"\bstop(?= texting)\b", "please stop", False),
        (r"\byes (?=stop)\b", "yes stopping", True),
        (r"\bstop(?! by)\b", "stop by", True),  # a person's word is looked at again
        (r"(?<!bus )\bstop\b", "bus stop", True),
        (r"\bm[a\u00e1]s\b", "no m\u00e1s", True),
        (r"\bdo not\b", "\u0915\u0930\u094bdo not", True),  # a mark ends a word
        (r"\b(?:a|[()b])(?= (?:c|d))", "x a d", True),
    ],
)
def test_what_must_follow_follows_and_what_must_not_is_left_out(
    pattern: str, text: str, is_found: bool
) -> None:
    assert [*QuickSearch([pattern]).find(text)] == ([0] if is_found else [])
