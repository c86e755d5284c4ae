"""Which of many of Python's patterns may match, asked of RE2 in one quick search."""

import re
from collections.abc import Iterable, Sequence

import re2

_LOOKAROUND = re.compile(r"\(\?<?[=!]")
_BRACKET = re.compile(r"\\.|\[[^\]]*\]|[()]")
_DEPTHS = {"(": 1, ")": -1}
# What is part of a word, though not to RE2.
_BEYOND_ASCII = re.compile(r"[^\W\x00-\x7f]|\\u[0-9a-f]{4}")


class QuickSearch:
    """Finds those of some patterns that may match: all that do, and seldom others.

    It is for folded words with a space between them. RE2 knows no lookarounds: what must come next
    is part of the match, and what must not is left out. Letters beyond ASCII are all the same.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._set = re2.Set.SearchSet()
        for each in patterns:
            self._set.Add(_BEYOND_ASCII.sub("q", _drop_lookarounds(each)))
        self._set.Compile()

    def find(self, text: str) -> Sequence[int]:
        """The places of the patterns, in order."""
        found = self._set.Match(text if text.isascii() else _BEYOND_ASCII.sub("q", text))
        return sorted(found) if found else ()


def _drop_lookarounds(pattern: str) -> str:
    kept, place = "", 0
    while found := _LOOKAROUND.search(pattern, place):
        end = _find_end(pattern, found.start())
        kept += pattern[place : found.start()]
        if found.group() == "(?=":
            # Whatever the pattern goes on with holds at the end of the words.
            kept += f"(?:{_drop_lookarounds(pattern[found.end() : end])}).*"
        place = end + 1
    return kept + pattern[place:]


def _find_end(pattern: str, start: int) -> int:
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for found in _BRACKET.finditer(pattern, start):
        depth += _DEPTHS.get(found.group(), 0)
        if depth == 0:
            return found.start()
    raise ValueError(pattern)
