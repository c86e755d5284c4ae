"""Which forwards are texts that the provider's report had already brought under another id."""

from collections.abc import Iterable
from datetime import timedelta

from app.domain.inbound.messages import StoredMessage
from app.domain.inbound.reconciling import is_same_text, pair_nearest

# Both times are the provider's own; they differ by how each is rounded.
TOLERANCE = timedelta(minutes=2)


def match_duplicates(
    reported: Iterable[StoredMessage], forwarded: Iterable[StoredMessage]
) -> dict[int, int]:
    """The ids of forwards and of the reported texts that they repeat, one to one.

    They match if number and sender are the same, the times are within the tolerance, and the id or
    the text (except for lost characters) is the same. Equal texts are matched first, then the
    nearest. A forward repeats only texts stored before it.
    """
    by_pair: dict[tuple[str, str], list[StoredMessage]] = {}
    for each in reported:
        by_pair.setdefault((each.dest, each.source), []).append(each)
    return pair_nearest(
        ((forward.body != report.body, distance), forward.id, report.id)
        for forward in forwarded
        for report in by_pair.get((forward.dest, forward.source), ())
        if report.id < forward.id
        and (distance := abs(forward.received_at - report.received_at)) <= TOLERANCE
        and _is_same(report, forward)
    )


def _is_same(report: StoredMessage, forward: StoredMessage) -> bool:
    has_same_id = bool(report.provider_id) and report.provider_id == forward.provider_id
    return has_same_id or is_same_text(report.body, forward.body)
