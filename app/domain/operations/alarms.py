"""When texts do not arrive as they should: a number silent for too long, or wrong times."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

# A silence is compared with the gaps of this period.
PERIOD = timedelta(days=28)
_SHORTEST_SILENCE = timedelta(hours=6)
_USUAL_GAPS = 3

# How many of the newest forwards are examined, and how many are needed for a result.
LAGS = 20
_ENOUGH = 10
_STEADY = 0.9
_OVER = 0.5
# Time zones differ by multiples of 15 minutes, at most by this.
_STEP = timedelta(minutes=15)
LARGEST_OFFSET = timedelta(hours=14)
_HOUR = timedelta(hours=1)
_LEEWAY = timedelta(minutes=5)
_SMALL_LEEWAY = timedelta(minutes=2)
_NONE = timedelta()


def find_alarm_time(last_arrived_at: datetime, longest_gap: timedelta) -> datetime:
    """When a number last texted at that time has been silent for too long."""
    return last_arrived_at + max(_USUAL_GAPS * longest_gap, _SHORTEST_SILENCE)


def judge_lags(lags: Sequence[timedelta]) -> timedelta | None:
    """By how much nearly all forwards are late, or early (below 0), if another zone explains it.

    Zero: most are on time. None: not known, so the earlier result stands.
    """
    if len(lags) < _ENOUGH:
        return None
    counts = Counter(step for step in map(_read_offset, lags) if step)
    offset, count = counts.most_common(1)[0] if counts else (_NONE, 0)
    share = count / len(lags)
    if share >= _STEADY:
        return offset
    return _NONE if share <= _OVER else None


def judge_old(lags: Sequence[timedelta]) -> list[timedelta] | None:
    """How old the forwards were that are too late for any time zone, if there are many.

    Empty: there are few. None: not known.
    """
    if len(lags) < _ENOUGH:
        return None
    old = [lag for lag in lags if lag > LARGEST_OFFSET + _LEEWAY]
    if len(old) >= _ENOUGH:
        return old
    return [] if len(old) <= len(lags) * (1 - _OVER) / 2 else None


def _read_offset(lag: timedelta) -> timedelta:
    """The nearest possible offset between two zones; zero if none is near."""
    offset = round(lag / _STEP) * _STEP
    leeway = _SMALL_LEEWAY if offset % _HOUR else _LEEWAY
    is_offset = abs(offset) <= LARGEST_OFFSET and abs(lag - offset) <= leeway
    return offset if is_offset else _NONE
