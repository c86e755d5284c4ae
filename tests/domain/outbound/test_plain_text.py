"""Typographic characters in plain SMS characters."""

import pytest

from app.domain.outbound.gsm import measure_text
from app.domain.outbound.plain_text import PLAIN, write_plainly


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("It\u2019s \u201cfine\u201d", 'It\'s "fine"'),
        ("9\u201317 \u2014 today\u2026", "9-17 - today..."),
        ("a\u00a0b\u200bc\u00add", "a bcd"),
        ("o\ufb03ce \ufb01ne", "o\ufb03ce fine"),
        # Accents change what a word means; these letters are in the alphabet, or stay.
        ("caf\u00e9 \u00ea \u0142 \U0001f600", "caf\u00e9 \u00ea \u0142 \U0001f600"),
    ],
)
def test_typography_becomes_plain_and_letters_stay(text: str, plain: str) -> None:
    assert write_plainly(text) == plain


def test_whatever_stands_for_something_is_in_the_alphabet() -> None:
    assert measure_text("".join(PLAIN)).encoding == "GSM-7"
    assert measure_text(write_plainly("".join(PLAIN.values()))).encoding == "GSM-7"
