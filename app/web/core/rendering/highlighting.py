"""Texts cut to a line, with the words of a search marked; everything else is escaped."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.domain.keywords import Spans, find_spans
from app.domain.numbers import write_number

if TYPE_CHECKING:
    from markupsafe import Markup

SUMMARY = 160
# How much of a text is looked through, and how much of it stands before the first word found.
LOOKED_THROUGH = 20_000
LEAD = 40


def write_summary(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 2 * SUMMARY].split())
    return line if len(line) <= SUMMARY else f"{line[:SUMMARY].rstrip()}…"


def mark_words(text: str, words: Sequence[str]) -> "Markup":
    """A text with its folded words in <mark>."""
    return _mark(text, find_spans(text, words))


def write_excerpt(text: str, words: Sequence[str]) -> "Markup":
    """The part of a text where the words are, on one line; its beginning if they are not."""
    line = " ".join(text[:LOOKED_THROUGH].split())
    spans = find_spans(line, words)
    first = spans[0][0] if spans else 0
    if first <= SUMMARY - LEAD:
        return mark_words(write_summary(line), words)
    start = line.rfind(" ", first - 2 * LEAD, first - LEAD) + 1 or first - LEAD
    return _mark("…", []) + mark_words(write_summary(line[start:]), words)


def mark_number(number: str, digits: str, words: Sequence[str]) -> "Markup":
    """A number as people read it, with the digits that were looked for in <mark>."""
    written = write_number(number)
    places = [place for place, each in enumerate(written) if each.isdecimal()]
    at = "".join(written[place] for place in places).find(digits) if digits else -1
    if at < 0:
        return mark_words(written, words)
    return _mark(written, [(places[at], places[at + len(digits) - 1] + 1)])


def _mark(text: str, spans: Spans) -> "Markup":
    from markupsafe import Markup, escape  # noqa: PLC0415 it comes with the engine

    parts, place = [], 0
    for start, end in spans:
        parts += [escape(text[place:start]), Markup("<mark>{}</mark>").format(text[start:end])]
        place = end
    return Markup("").join([*parts, escape(text[place:])])
