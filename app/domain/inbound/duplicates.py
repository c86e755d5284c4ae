"""Which texts of the provider's report and which forwards are the same text under different ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.inbound.reconciling import is_same_text

# Both times are the provider's own; they differ by how each is rounded.
TOLERANCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text from a forward or a report; `pair` stands for its number and sender.

    `provider_id` is None if it came without one.
    """

    id: int
    pair: int
    body: str
    received_at: datetime
    provider_id: str | None = None


def match_repeats(reported: Iterable[Candidate], forwarded: Iterable[Candidate]) -> dict[int, int]:
    """The ids of forwards and of the reported texts that they repeat, one to one.

    They match if number and sender are the same, the times are within the tolerance, and the id or
    the text (except for lost characters) is the same. Equal texts are matched first, then the
    nearest. A forward repeats only texts stored before it.
    """
    by_pair: dict[int, list[Candidate]] = {}
    for each in reported:
        by_pair.setdefault(each.pair, []).append(each)
    near = sorted(
        (forward.body != report.body, distance, report.id, forward.id)
        for forward in forwarded
        for report in by_pair.get(forward.pair, ())
        if report.id < forward.id
        and (distance := abs(forward.received_at - report.received_at)) <= TOLERANCE
        and _is_same(report, forward)
    )
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, report_id, forward_id in near:
        if forward_id not in found and report_id not in taken:
            found[forward_id] = report_id
            taken.add(report_id)
    return found


def _is_same(report: Candidate, forward: Candidate) -> bool:
    has_same_id = bool(report.provider_id) and report.provider_id == forward.provider_id
    return has_same_id or is_same_text(report.body, forward.body)
