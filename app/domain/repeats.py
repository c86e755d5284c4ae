"""Which texts of the provider's report and which forwards are the same text under different ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Both times are the provider's own; they differ by how each is rounded.
TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One text as one of the two ways brought it; `pair` stands for its number and sender."""

    id: int
    pair: int
    body: str
    received_at: datetime


def match_repeats(reported: Iterable[Sighting], forwarded: Iterable[Sighting]) -> dict[int, int]:
    """The ids of forwards with those of the reported texts they repeat, one to one.

    Same number, sender and text, at times within the tolerance; the nearest go together. A forward
    repeats only what was stored before it.
    """
    by_text: dict[tuple[int, str], list[Sighting]] = {}
    for each in reported:
        by_text.setdefault((each.pair, each.body), []).append(each)
    near = sorted(
        (abs(forward.received_at - report.received_at), report.id, forward.id)
        for forward in forwarded
        for report in by_text.get((forward.pair, forward.body), ())
        if report.id < forward.id and abs(forward.received_at - report.received_at) <= TOLERANCE
    )
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, report_id, forward_id in near:
        if forward_id not in found and report_id not in taken:
            found[forward_id] = report_id
            taken.add(report_id)
    return found
