"""How a text is taken apart into words, for rules and opt-outs alike."""

import re
import unicodedata
from functools import lru_cache

# What ends a word, beside white space. Apostrophes and hyphens do not: don't, opt-out.
_BREAKS = (
    r"\s.,;:!?/\\|()\[\]{}<>\"*+=~^@#%\u2013\u2014\u2026\u00a1\u00bf\u00ab\u00bb\u201c\u201d\u201e"
)
_WORD = re.compile(f"[^{_BREAKS}]+")
_BREAK = re.compile(f"[{_BREAKS}]+")
_LETTER_CATEGORIES = frozenset("LNM")


def fold_word(text: str) -> str:
    """A word without case and punctuation: what keywords are compared by.

    Compatibility forms are one (full-width letters, ligatures), accents are kept.
    """
    if text.isascii() and text.isalnum():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each for each in folded if unicodedata.category(each)[0] in _LETTER_CATEGORIES)


def split_words(text: str) -> list[str]:
    """Every word of a text, folded; what holds neither letter nor digit is passed over."""
    folded = (fold_word(found.group()) for found in _WORD.finditer(text))
    return [word for word in folded if word]


def read_keyword(text: str) -> str:
    """The text's first word, folded; "" where it has none."""
    return fold_word(split_keyword(text)[0])


# A batch asks the same text once for each rule.
@lru_cache(maxsize=256)
def split_keyword(text: str) -> tuple[str, str]:
    """The text's first word as it was written, without punctuation, and what follows it.

    ("", "") where the text has no word at all.
    """
    for found in _WORD.finditer(text):
        if fold_word(found.group()):
            rest = text[found.end() :]
            parting = _BREAK.match(rest)
            return _strip_ends(found.group()), rest[parting.end() if parting else 0 :].rstrip()
    return "", ""


def _strip_ends(word: str) -> str:
    while not fold_word(word[0]):
        word = word[1:]
    while not fold_word(word[-1]):
        word = word[:-1]
    return word
