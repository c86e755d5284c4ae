"""When to ask again what became of a text, and when to stop asking."""

from datetime import UTC, datetime, timedelta

SOONEST = timedelta(seconds=5)
LATEST = timedelta(hours=1)
# After a text's validity the network may still take its time to tell how it ended.
GRACE = timedelta(hours=6)

_GRID_START = datetime(1970, 1, 1, tzinfo=UTC)
_GRIDS = (
    (timedelta(minutes=1), timedelta(seconds=5)),
    (timedelta(minutes=10), timedelta(minutes=1)),
    (LATEST, timedelta(minutes=10)),
)


def plan_first_check(since: datetime) -> datetime:
    """At least 5 s after a text was, or is to be, sent; on the same grid."""
    return plan_check(since, since)


def plan_check(since: datetime, now: datetime) -> datetime:
    """Half the text's age later, within 5 s and 1 h: news comes early or hardly at all.

    `since` is when the provider took the text, or when it is to send it. The times lie on a grid,
    coarser for older texts, so that many are due together and one report serves them all.
    """
    wait = min(max((now - since) / 2, SOONEST), LATEST)
    grid = next(step for longest, step in _GRIDS if wait <= longest)
    return _GRID_START + -((_GRID_START - now - wait) // grid) * grid


def is_given_up(since: datetime, validity_seconds: int, now: datetime) -> bool:
    """Whether no final word is to be expected any more."""
    return now >= since + timedelta(seconds=validity_seconds) + GRACE
