"""When the way in looks broken: a number that is silent too long, times in another zone."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

# A silence is judged by the gaps of so long.
PERIOD = timedelta(days=28)
_SHORTEST_SILENCE = timedelta(hours=6)
_USUAL_GAPS = 3

# So many of the newest forwards are looked at, and so many are needed to tell anything.
LAGS = 20
_ENOUGH = 10
_STEADY = 0.9
_OVER = 0.5
_HOUR = timedelta(hours=1)
_LEEWAY = timedelta(minutes=5)


def find_alarm_time(last_arrived_at: datetime, longest_gap: timedelta) -> datetime:
    """From when on a number that was texted last then has been silent for too long."""
    return last_arrived_at + max(_USUAL_GAPS * longest_gap, _SHORTEST_SILENCE)


def judge_lags(lags: Sequence[timedelta]) -> int | None:
    """The whole hours, other than none, by which nearly all forwards came late, or early (below 0).

    0: most did not; None: it cannot be told, so what was told before holds.
    """
    if len(lags) < _ENOUGH:
        return None
    counts = Counter(_read_hours(lag) for lag in lags)
    hours, count = max(
        ((hours, count) for hours, count in counts.items() if hours),
        key=lambda each: each[1],
        default=(0, 0),
    )
    share = count / len(lags)
    if share >= _STEADY:
        return hours
    return 0 if share <= _OVER else None


def _read_hours(lag: timedelta) -> int:
    """The whole hours that it is about as long as; 0 for any other."""
    hours = round(lag / _HOUR)
    return hours if abs(lag - hours * _HOUR) <= _LEEWAY else 0
