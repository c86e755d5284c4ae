"""Matches rows of the provider's report with stored messages, to find texts that never arrived."""

import html
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.domain.inbound.messages import StoredMessage

# The report's time and the forward's are both the provider's; a forward without one has its time of
# arrival.
TOLERANCE = timedelta(minutes=10)
# How far off a time in the hour that autumn repeats may be.
AMBIGUITY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ReportedText:
    """A row of the report, its numbers normalised; `received_at` is None if it cannot be read.

    `is_ambiguous`: the time lies in an hour that comes twice, and may be an hour off.
    """

    provider_id: str
    source: str
    dest: str
    body: str
    received_at: datetime | None
    is_ambiguous: bool = False

    @property
    def pair(self) -> tuple[str, str]:
        return self.dest, self.source


def fold_body(body: str) -> str:
    """A text in the form to compare: the report may trim it or break its lines elsewhere."""
    return " ".join(html.unescape(body).split())


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts may be the same one, with characters lost in one of them.

    A non-ASCII character may have become a question mark, nothing, a letter without its accent or
    several odd characters. Plain ASCII is never lost.
    """
    one, other = fold_body(one), fold_body(other)
    if one == other:
        return True
    if one.isascii() and other.isascii():
        return False
    return not _find_skeletons(one).isdisjoint(_find_skeletons(other))


def _find_skeletons(body: str) -> set[str]:
    """The part of a text that always survives: its ASCII letters and digits, with or without those
    under an accent.
    """
    return {
        "".join(char for char in written if char.isascii() and char.isalnum())
        for written in (body, unicodedata.normalize("NFKD", body))
    }


def match_by_id(
    rows: Sequence[ReportedText],
    stored: Mapping[tuple[str, str, str], Iterable[StoredMessage]],
    taken: Collection[int] = (),
) -> dict[int, int]:
    """Row index → message, if id and numbers match and text or time does; one to one.

    `stored` is by dest, source and id; `taken` are messages that already belong to other rows. With
    the same id at about the same time it is the same text, however much of it was lost.
    """
    found: dict[int, int] = {}
    matched = set(taken)
    for agrees in (_has_text, _is_near):
        for place, row in enumerate(rows):
            for text in stored.get((*row.pair, row.provider_id), ()):
                if place not in found and text.id not in matched and agrees(row, text):
                    found[place] = text.id
                    matched.add(text.id)
    return found


def _has_text(row: ReportedText, text: StoredMessage) -> bool:
    return fold_body(text.body) == fold_body(row.body)


def _is_near(row: ReportedText, text: StoredMessage) -> bool:
    if row.received_at is None:
        return is_same_text(text.body, row.body)
    return _measure_distance(row, text) is not None


def match_by_text(
    rows: Mapping[int, ReportedText], stored: Iterable[StoredMessage]
) -> dict[int, int]:
    """Row index → message of the same pair, if text and approximate time match; one to one.

    For providers whose forwards and reports have different ids. Equal texts are matched first, then
    those that have lost characters, the nearest in time first; messages already matched must not be
    in `stored`.
    """
    left = {text.id: text for text in stored}
    by_body: dict[str, list[StoredMessage]] = {}
    for text in left.values():
        by_body.setdefault(fold_body(text.body), []).append(text)
    found = _match_nearest(rows, lambda row: by_body.get(fold_body(row.body), ()))
    for text_id in found.values():
        del left[text_id]
    others = {place: row for place, row in rows.items() if place not in found}
    damaged = _match_nearest(
        others,
        lambda row: [text for text in left.values() if is_same_text(text.body, row.body)],
    )
    return found | damaged


def pair_nearest(near: Iterable[tuple[Any, int, int]]) -> dict[int, int]:
    """First → second of (distance, first, second), the nearest first, each used once."""
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, first, second in sorted(near):
        if first not in found and second not in taken:
            found[first] = second
            taken.add(second)
    return found


def _match_nearest(
    rows: Mapping[int, ReportedText], find: Callable[[ReportedText], Iterable[StoredMessage]]
) -> dict[int, int]:
    return pair_nearest(
        (distance, place, text.id)
        for place, row in rows.items()
        for text in find(row)
        if (distance := _measure_distance(row, text)) is not None
    )


def _measure_distance(row: ReportedText, text: StoredMessage) -> timedelta | None:
    return measure_distance(row, text.received_at)


def measure_distance(row: ReportedText, received_at: datetime) -> timedelta | None:
    """How far off the time of a text is that may be that row; None if it cannot be."""
    if row.received_at is None:
        return None
    distance = abs(received_at - row.received_at)
    if row.is_ambiguous:
        distance = min(distance, abs(distance - AMBIGUITY))
    return distance if distance <= TOLERANCE else None
