"""Which rows of the provider's report are texts that we have, and which never reached us."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# The report's time and the forward's are both the provider's; where the forward had none, it is
# the time of arrival.
TOLERANCE = timedelta(minutes=10)
# How far off a time may be that lies in the hour which autumn repeats.
AMBIGUITY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ReportedText:
    """A row of the report; numbers as we store them. `received_at` is None where it cannot be read.

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


@dataclass(frozen=True, slots=True)
class StoredText:
    """A message that we have."""

    id: int
    provider_id: str | None
    body: str
    received_at: datetime


def fold_body(body: str) -> str:
    """A text as both ways of the provider give it: a report may trim it or break its lines anew."""
    return " ".join(body.split())


def match_by_id(
    rows: Sequence[ReportedText], stored: Mapping[tuple[str, str, str], Iterable[StoredText]]
) -> dict[int, int]:
    """Place of row → message, where id, numbers and text agree; one to one.

    `stored` is by dest, source and id.
    """
    found: dict[int, int] = {}
    taken: set[int] = set()
    for place, row in enumerate(rows):
        for text in stored.get((*row.pair, row.provider_id), ()):
            if text.id not in taken and fold_body(text.body) == fold_body(row.body):
                found[place] = text.id
                taken.add(text.id)
                break
    return found


def match_by_text(rows: Mapping[int, ReportedText], stored: Iterable[StoredText]) -> dict[int, int]:
    """Place of row → message of the same pair, where text and about the time agree; one to one.

    For where forwards and reports count their ids apart. The nearest go together; whoever has
    been matched already must not be among `stored`.
    """
    by_body: dict[str, list[StoredText]] = {}
    for text in stored:
        by_body.setdefault(fold_body(text.body), []).append(text)
    near = sorted(
        (distance, place, text.id)
        for place, row in rows.items()
        for text in by_body.get(fold_body(row.body), ())
        if (distance := _measure_distance(row, text)) is not None
    )
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, place, text_id in near:
        if place not in found and text_id not in taken:
            found[place] = text_id
            taken.add(text_id)
    return found


def _measure_distance(row: ReportedText, text: StoredText) -> timedelta | None:
    if row.received_at is None:
        return None
    distance = abs(text.received_at - row.received_at)
    if row.is_ambiguous:
        distance = min(distance, abs(distance - AMBIGUITY))
    return distance if distance <= TOLERANCE else None
