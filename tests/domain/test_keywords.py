"""How texts are compared, and taken apart into words."""

import re
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.keywords import (
    find_spans,
    fold_text,
    fold_word,
    read_keyword,
    split_keyword,
    split_words,
)

ALIKE = [
    ("can't", "can\u2019t"),
    ("can't", "can`t"),
    ("can't", "can\u00b4t"),
    ("can't", "can\uff07t"),
    ("caf\u00e9", "cafe\u0301"),
    ("CAF\u00c9", "cafe\u0301"),
    ('say "hi"', "say \u201chi\u201d"),
    ('say "hi"', "say \u00abhi\u00bb"),
    ("opt-out", "opt\u2011out"),
    ("9-5", "9\u20135"),
    ("hours", "\uff28\uff2f\uff35\uff32\uff33"),
    ("hours", "HO\u200bURS"),
    ("hours", "\u202ahours\u202c"),
    ("hours", "ho\u00adurs"),
    ("hours", "\u24d7\u24de\u24e4\u24e1\u24e2"),
    ("strasse", "Stra\u00dfe"),
    ("office", "o\ufb03ce"),
    ("istanbul", "\u0130stanbul"),
    ("two words", "two\u00a0words"),
    ("two words", "two\u202fwords"),
    ("...", "\u2026"),
    ("\u2764", "\u2764\ufe0f"),
    ("\U0001f44d", "\U0001f44d\U0001f3fd"),
    ("1", "1\ufe0f\u20e3"),
    ("stop", "s\u0336t\u0336o\u0336p\u0336"),
    ("stop", "STOP\u2122"),
    ("stop", "\u0301stop"),
    ("stop", "stop\u0488"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_texts_that_people_take_for_the_same_fold_alike(one: str, other: str) -> None:
    assert fold_text(one) == fold_text(other)


@pytest.mark.parametrize(
    ("one", "other"), [("cafe", "caf\u00e9"), ("stop", "st\u00f6p"), ("a", "\u0430"), ("ab", "a b")]
)
def test_accents_and_letters_that_only_look_alike_stay_apart(one: str, other: str) -> None:
    assert fold_text(one) != fold_text(other)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("STOP \u2764\ufe0f", "stop"),
        ("STOP\u203c\ufe0f", "stop"),
        ("STOP \U0001f645\u200d\u2640\ufe0f", "stop"),
        ("\U0001f6d1STOP", "stop"),
        ("\u26d4\ufe0f STOP", "stop"),
        ("hours\u2757\ufe0f", "hours"),
        ("hours\u2764\ufe0fplease", "hours"),
        ("\U0001f44b\U0001f3fd Hours", "hours"),
        ("1\ufe0f\u20e3", "1"),
        ("#\ufe0f\u20e3 1", "1"),
        ("\u2460", "1"),
        ("\u201cHours\u201d", "hours"),
        ("can\u2019t", "cant"),
        ("\u00bfHoras?", "horas"),
        ("hours\u02c5please", "hours"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("R&B", "rb"),
        ("\U0001f44d", ""),
        ("\ufe0f\u200d", ""),
        ("", ""),
    ],
)
def test_the_first_word_is_found_amid_emoji_and_marks(text: str, keyword: str) -> None:
    assert read_keyword(text) == keyword


@pytest.mark.parametrize(
    ("text", "word", "rest"),
    [
        ("Hours\u2757\ufe0f on Sunday", "Hours", "\u2757\ufe0f on Sunday"),
        ("cafe\u0301 open?", "cafe\u0301", "open?"),
        ("'Hours', please ", "Hours", "please"),
        ("''Hours''", "Hours", ""),
        ("\U0001f44d", "", ""),
        ("\u0928\u0940 \u0915", "\u0928\u0940", "\u0915"),
    ],
)
def test_a_word_and_its_rest_stay_as_they_were_written(text: str, word: str, rest: str) -> None:
    assert split_keyword(text) == (word, rest)


def test_emoji_part_words() -> None:
    assert split_words("stop\U0001f44dtexts \u2764\ufe0f now") == ["stop", "texts", "now"]


@example("\u2260")
@given(st.text())
def test_composed_and_decomposed_texts_fold_alike(text: str) -> None:
    plain = unicodedata.normalize("NFC", text)
    assert fold_text(unicodedata.normalize("NFD", plain)) == fold_text(plain)


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_plain_english_is_folded_by_case_alone(text: str) -> None:
    assert fold_text(text) == text.casefold().replace("`", "'")


@pytest.mark.parametrize("text", ["a" + "-" * 65_000, "\u0301" * 65_000, "\u00e9-" * 32_000])
def test_no_text_takes_long_to_fold_or_split(text: str) -> None:
    began = time.perf_counter()
    fold_text(text)
    split_keyword(text)
    assert time.perf_counter() - began < 2


def take_words_apart(text: str) -> list[str]:
    """Pieces without a break or emoji, folded, of which a letter or digit is left."""
    pieces = re.split(r"[\s.,;:!?/\\|()\[\]{}<>\"*+=~^@#%\u2013\u2014\u2026\u00a1\u00bf]", text)
    pieces = [part for piece in pieces for part in re.split("[\U0001f600-\U0001f64f]", piece)]
    return [word for piece in pieces if (word := fold_word(piece))]


@given(
    st.text(
        alphabet="aB1\u00e9\u017f\u2019'`-_.,\u2014\u00bf\u2026\x1c\x0b \n&\u00a0\U0001f600\u0301"
    )
)
@example("non-stop, don\u2019t \u2014\u00e9-e\u0301 a&b")
def test_quick_ways_find_the_words_of_the_slow_one(text: str) -> None:
    assert split_words(text) == take_words_apart(text)
    assert read_keyword(text) == next(iter(take_words_apart(text)), "")


@pytest.mark.parametrize("text", ["a" * 65_000, "a" * 65_000 + "\u00e9", "a\u00e9" * 32_000])
def test_no_run_of_letters_takes_long_to_split(text: str) -> None:
    began = time.perf_counter()
    assert split_words(text) == [text]
    assert time.perf_counter() - began < 2


def show_spans(text: str, *words: str) -> str:
    shown, place = "", 0
    for start, end in find_spans(text, [fold_text(each) for each in words]):
        shown += f"{text[place:start]}[{text[start:end]}]"
        place = end
    return shown + text[place:]


@pytest.mark.parametrize(
    ("text", "words", "shown"),
    [
        ("A Caf\u00e9 and cafe\u0301 too", ["CAF\u00c9"], "A [Caf\u00e9] and [cafe\u0301] too"),
        (
            "\uff28\uff25\uff2c\uff2c\uff2f hello",
            ["hello"],
            "[\uff28\uff25\uff2c\uff2c\uff2f] [hello]",
        ),
        ("o\ufb03ce", ["fi"], "o[\ufb03]ce"),
        ("it\u2019s it's", ["it's"], "[it\u2019s] [it's]"),
        ("hel\u200dlo", ["hello"], "[hel\u200dlo]"),
        ("\u0130stanbul", ["ist"], "[\u0130st]anbul"),
        ("Stra\u00dfe STRASSE", ["strasse"], "[Stra\u00dfe] [STRASSE]"),
        ("\u1100\u1161\u11a8 \uac01", ["\uac01"], "[\u1100\u1161\u11a8] [\uac01]"),
        ("aaa b", ["aa", "b"], "[aaa] [b]"),
        ("caf\u00e9", ["cafe"], "caf\u00e9"),
        ("<b>", ["b"], "<[b]>"),
        ("", ["x"], ""),
        ("plain", [""], "plain"),
    ],
)
def test_words_are_marked_as_the_search_finds_them(text: str, words: list[str], shown: str) -> None:
    assert show_spans(text, *words) == shown


LETTERS = (
    "ab \u00e9\u0301e\u200d\uff28\u00df\ufb011\u20e0\uac01\u1100\u1161\u11a8"
    "\u0130\u03a3\u2019\ufe0f"
)


@given(st.text(LETTERS, max_size=9), st.text(LETTERS, min_size=1, max_size=2))
def test_something_is_marked_wherever_the_search_finds_a_word(text: str, word: str) -> None:
    folded = fold_text(word)
    found = find_spans(text, [folded]) if folded else []
    assert bool(found) == (bool(folded) and folded in fold_text(text))
    assert all(0 <= start < end <= len(text) for start, end in found)
