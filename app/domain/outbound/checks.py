"""When to check the status of a text again, and when to stop."""

from datetime import UTC, datetime, timedelta

SOONEST = timedelta(seconds=5)
LATEST = timedelta(hours=1)
# The network may report how a text ended some time after its validity.
GRACE = timedelta(hours=6)

_GRID_START = datetime(1970, 1, 1, tzinfo=UTC)
_GRIDS = (
    (timedelta(minutes=1), timedelta(seconds=5)),
    (timedelta(minutes=10), timedelta(minutes=1)),
    (LATEST, timedelta(minutes=10)),
)


def plan_first_check(since: datetime) -> datetime:
    """At least 5 s after a text was, or is to be, sent."""
    return plan_check(since, since)


def plan_check(since: datetime, now: datetime) -> datetime:
    """After half the text's age, but 5 s to 1 h later: most statuses come early.

    `since` is when the provider took the text, or when it is to send it. Times are rounded up to a
    grid, coarser for older texts, so that many are due together and share one report.
    """
    wait = min(max((now - since) / 2, SOONEST), LATEST)
    grid = next(step for longest, step in _GRIDS if wait <= longest)
    return _GRID_START + -((_GRID_START - now - wait) // grid) * grid


def is_given_up(since: datetime, validity_seconds: int, now: datetime) -> bool:
    """Whether to expect no final status any more."""
    return now >= since + timedelta(seconds=validity_seconds) + GRACE
