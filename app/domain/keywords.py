"""How texts are compared and split into words, for rules, opt-outs and searches."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

# What ends a word, besides white space and symbols. Not apostrophes and hyphens: don't, opt-out.
_BREAKS_BEYOND_ASCII = "\u2013\u2014\u2026\u00a1\u00bf\u00ab\u00bb\u201c\u201d\u201e"
_BREAKS = r"\s.,;:!?/\\|()\[\]{}<>\"*+=~^@#%" + _BREAKS_BEYOND_ASCII
_WORD = re.compile(f"[^{_BREAKS}]+")
_BREAK = re.compile(f"[{_BREAKS}]+")
_LETTER_CATEGORIES = frozenset("LNM")
# A run without a break that has a character beyond ASCII; found in linear time.
_RUN_BEYOND_ASCII = re.compile(
    rf"(?<![^{_BREAKS}])[^{_BREAKS}\x80-\U0010ffff]*+[^{_BREAKS}\x00-\x7f][^{_BREAKS}]*+"
)
# Folds ASCII words, parts words by spaces, and leaves out what is no letter or digit of ASCII.
_ASCII_WORDS: dict[int, str | None] = {
    code: " " if _BREAK.match(chr(code)) else chr(code).lower() if chr(code).isalnum() else None
    for code in (*range(128), *map(ord, _BREAKS_BEYOND_ASCII))
}
_LONGEST_KEPT = 32

_APOSTROPHES = (
    "\u2018\u2019\u201a\u201b\u2032\u02bc\u02b9\u02c8\u0374\u1fef\ua78b\ua78c\uff07\uff40\u00b4`"
)
_MINUS_SIGNS = "\u2212\u207b\u208b"
_QUOTATION_MARKS = "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02"
# Invisible, or only changing how a neighbour looks: fillers, variation selectors, skin tones,
# strokes through letters, raised TM and SM.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff"
    "\U0001f3fb-\U0001f3ff\u0305\u0332-\u0338\u033f\u20d0-\u20f0\u2120\u2122]"
)


class _Replacements(dict[int, str]):
    """Replacements for `str.translate`, computed when a character first occurs."""

    def __missing__(self, code: int) -> str:
        each = chr(code)
        if each in _APOSTROPHES:
            found = "'"
        elif each in _QUOTATION_MARKS:
            found = '"'
        elif unicodedata.category(each) == "Pd" or each in _MINUS_SIGNS:
            found = "-"
        elif unicodedata.category(each) in {"Cf", "Me"} or _UNSEEN.match(each):
            found = ""
        else:
            found = each
        self[code] = found
        return found


_REPLACEMENTS = _Replacements()


def fold_text(text: str) -> str:
    """The text in the form used for every comparison: search index, rules and queries.

    Ignores case, compatibility forms (full-width letters, ligatures), ways to write an accent,
    kinds of apostrophes, quotation marks and hyphens, and invisible characters. Accents stay.
    """
    if text.isascii():
        return text.lower().replace("`", "'")
    # Composed first: a stroke that makes another sign of one (\u2260) is not unseen.
    plain = unicodedata.normalize("NFC", text).translate(_REPLACEMENTS)
    plain = unicodedata.normalize("NFKC", plain).casefold()
    # Folding the Turkish capital dotted I leaves its dot behind.
    plain = unicodedata.normalize("NFKC", plain).replace("i\u0307", "i")
    mark, loose_marks = _compile_marks()
    return loose_marks.sub("", plain) if mark.search(plain) else plain


@cache
def _compile_marks() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns for combining marks, and for those that follow no letter.

    Marks beyond the first plane belong to dead scripts and would make the patterns slow.
    """
    found = filter(lambda each: unicodedata.category(each)[0] == "M", map(chr, range(0x10000)))
    marks = f"[{''.join(found)}]"
    return re.compile(marks), re.compile(rf"(?<!(?:[^\W\d_]|{marks})){marks}+")


def fold_word(text: str) -> str:
    """A word without case and punctuation, as keywords are compared."""
    if text.isascii() and text.isalnum():
        return text.lower()
    return "".join(
        each for each in fold_text(text) if unicodedata.category(each)[0] in _LETTER_CATEGORIES
    )


def split_words(text: str) -> list[str]:
    """Every word of a text, folded; words without a letter or digit are skipped."""
    # What the other branch does, but many times quicker.
    return text.translate(_ASCII_WORDS).split() if text.isascii() else list(iterate_words(text))


def iterate_words(text: str) -> Iterator[str]:
    """The same, one after another."""
    end = 0
    for found in _RUN_BEYOND_ASCII.finditer(text):
        run = found.group()
        yield from text[end : found.start()].translate(_ASCII_WORDS).split()
        yield from _split_known(run) if len(run) <= _LONGEST_KEPT else _split_run(run)
        end = found.end()
    yield from text[end:].translate(_ASCII_WORDS).split()


def _split_run(run: str) -> tuple[str, ...]:
    """The words of a run without a break."""
    return tuple(filter(None, (fold_word(run[start:end]) for start, end in _find_words(run))))


# Cached: a few, such as a word with a curly apostrophe, are in many texts.
_split_known = lru_cache(maxsize=4096)(_split_run)


def read_keyword(text: str) -> str:
    """The text's first word, folded; "" if it has none."""
    return next(iterate_words(text), "")


# cached: each rule splits the same text.
@lru_cache(maxsize=256)
def split_keyword(text: str) -> tuple[str, str]:
    """The text's first word as it was written, without punctuation, and what follows it.

    ("", "") if the text has no word.
    """
    for start, end in _find_words(text):
        if fold_word(text[start:end]):
            rest = text[end:]
            parting = _BREAK.match(rest)
            return _strip_ends(text[start:end]), rest[parting.end() if parting else 0 :].rstrip()
    return "", ""


def _find_words(text: str) -> Iterator[tuple[int, int]]:
    """The start and end of each run of characters without a break or symbol."""
    for found in _WORD.finditer(text):
        start = found.start()
        if not found.group().isascii():
            for place in range(found.start(), found.end()):
                if _is_symbol(text[place]):
                    if place > start:
                        yield start, place
                    start = place + 1
        if found.end() > start:
            yield start, found.end()


@lru_cache(maxsize=4096)
def _is_symbol(each: str) -> bool:
    """Whether it is an emoji or the like; a letter in a circle is a letter."""
    is_symbol = unicodedata.category(each) in {"So", "Sk"} and each not in _APOSTROPHES
    return is_symbol and not fold_word(each)


def _strip_ends(word: str) -> str:
    start, end = 0, len(word)
    while not fold_word(word[start]):
        start += 1
    # After a letter, because an accent may be a separate character.
    while fold_word(f"a{word[end - 1]}") == "a":
        end -= 1
    return word[start:end]


Spans = list[tuple[int, int]]


def find_spans(text: str, words: Iterable[str]) -> Spans:
    """Where a text holds these folded words: starts and ends, in order and apart from each other.

    A letter is marked with the accents and invisible characters that belong to it.
    """
    pieces = list(range(len(text))) if text.isascii() else _split_letters(text)
    ends = [*pieces, len(text)][1:]
    folded, owners = "", list[int]()
    for number, (start, end) in enumerate(zip(pieces, ends, strict=True)):
        piece = fold_text(text[start:end])
        folded += piece
        owners += [number] * len(piece)
    found: set[int] = set()
    for word in filter(None, words):
        at = folded.find(word)
        while at >= 0:
            found.update(owners[at : at + len(word)])
            at = folded.find(word, at + 1)
    return _join_spans((pieces[each], ends[each]) for each in sorted(found))


def _split_letters(text: str) -> list[int]:
    """Where each letter begins, with the marks and invisible characters that follow it."""
    starts = [0]
    for place in range(1, len(text)):
        alone = fold_text(text[place])
        before = text[starts[-1] : place]
        is_part = not alone or unicodedata.category(text[place]).startswith("M")
        # A part of a Korean syllable makes one letter with those before it.
        if not is_part and fold_text(before + text[place]) == fold_text(before) + alone:
            starts.append(place)
    return starts


def _join_spans(spans: Iterable[tuple[int, int]]) -> Spans:
    joined: Spans = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
