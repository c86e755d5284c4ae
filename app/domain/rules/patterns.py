"""Compiles rules' patterns, searches texts for them and limits their cost."""

import itertools
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import re2

from app.domain.errors import InvalidInput

# RE2 takes linear time for any pattern. These limit its memory, the length of text searched, and
# the time per character, which grows with the pattern.
PATTERN_MEMORY = 1 << 20
PATTERN_BYTES = 4096
LONGEST_PATTERN = 500
MOST_INSTRUCTIONS = 3000
MOST_SECONDS = 0.01
# The results kept: a few batches of texts under a few patterns.
KEPT_ANSWERS = 4096

# Whether a text contains a pattern.
Search = Callable[[str, str], bool]
# CPU seconds of this thread, so that a busy machine does not matter.
Stopwatch = Callable[[], float]

_ALWAYS_TRIED = ("a", "ab ", "\u00e9", "1", "Hello world, ", "\u4e2d")


def search_pattern(pattern: str, body: str) -> bool:
    """Whether the first 4 KiB contain the pattern, ignoring case. Raises InvalidInput."""
    start = body.encode("utf-8", "replace")[:PATTERN_BYTES].decode("utf-8", "ignore")
    return _search(pattern, start)


@lru_cache(maxsize=KEPT_ANSWERS)
def _search(pattern: str, start: str) -> bool:
    return _compile(pattern).search(start) is not None


def check_pattern(pattern: str) -> None:
    """Raises InvalidInput for an invalid or too large pattern."""
    if not pattern or len(pattern) > LONGEST_PATTERN:
        raise InvalidInput(f"a pattern has 1 to {LONGEST_PATTERN} characters", field="pattern")
    if _compile(pattern).programsize > MOST_INSTRUCTIONS:
        raise InvalidInput(
            "the pattern is too large: use fewer or smaller repetitions such as {100}",
            field="pattern",
        )


def check_cost(pattern: str, stopwatch: Stopwatch) -> None:
    """Raises InvalidInput if the pattern takes too long on some text.

    It is tried on texts that are hard for most patterns, and on its own letters.
    """
    check_pattern(pattern)
    own = dict.fromkeys(re.findall(r"[^\W_]|[^\x00-\x7f]", pattern))
    for piece in (*_ALWAYS_TRIED, *itertools.islice(own, 4), "".join(own)[:64] or "a"):
        text = (piece * (PATTERN_BYTES // len(piece.encode())))[:PATTERN_BYTES]
        # Twice, because the first time may have been slowed by something else.
        if min(_measure(pattern, text, stopwatch) for _ in range(2)) > MOST_SECONDS:
            raise InvalidInput(
                "the pattern takes too long on some texts: use fewer or smaller repetitions"
                " such as {100}",
                field="pattern",
            )


def find_all(patterns: Iterable[str], bodies: Iterable[str]) -> Search:
    """Search every text for every pattern now; later look-ups must be among these."""
    kept = list(patterns)
    found = {(each, body): search_pattern(each, body) for body in bodies for each in kept}

    def search(pattern: str, body: str) -> bool:
        try:
            return found[pattern, body]
        except KeyError:
            raise Unprepared from None

    return search


class Unprepared(Exception):
    """A pattern was needed that had not been searched for beforehand."""


def _measure(pattern: str, text: str, stopwatch: Stopwatch) -> float:
    compiled = _compile.__wrapped__(pattern)  # without the state cached from other texts
    began = stopwatch()
    compiled.search(text)
    return stopwatch() - began


@lru_cache(maxsize=256)
def _compile(pattern: str) -> "re2._Regexp":
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        detail = error.args[0]
        reason = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise InvalidInput(f"not a valid pattern: {reason}", field="pattern") from None
    except UnicodeEncodeError:
        raise InvalidInput(
            "not a valid pattern: it contains half a character", field="pattern"
        ) from None
