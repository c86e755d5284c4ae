"""Times as numbers, and how the provider's local times become instants."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Far enough from the limits of `datetime` that no zone makes it overflow.
_FIRST_YEAR = 2
_LAST_YEAR = 9998

_SEPARATORS = ("T", "t", " ")
# Longer than any time is written; strangers can send it, and it must not fill the cache.
_LONGEST = 40
_NO_OFFSET = timedelta(0)
_DAY = timedelta(days=1)


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """Raises OverflowError for what is beyond the calendar."""
    return _EPOCH + count * _MICROSECOND


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds, so that the texts sort by time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def read_local(text: str, zone: ZoneInfo) -> tuple[datetime | None, str | None]:
    """Read the provider's local time, and say what is doubtful about it.

    Takes `YYYY-MM-DD HH:MM:SS` and its ISO forms (`T`, a fraction, an offset or `Z`, which then
    wins over `zone`). Returns an aware UTC time and a code of `PROBLEMS`:

    - None: the time is certain.
    - `time`: with None, the text is not a time; with a time, it lies in the hour that spring skips
      and is read with the offset from before the change.
    - `time-ambiguous`: it lies in the hour that autumn repeats; the earlier one is returned.
    """
    return (_read_short if len(text) <= _LONGEST else _read)(text, zone)


def _read(text: str, zone: ZoneInfo) -> tuple[datetime | None, str | None]:
    local = _parse_iso(text.strip())
    if local is None or not _FIRST_YEAR <= local.year <= _LAST_YEAR:
        return None, "time"
    if local.tzinfo is not None:
        return local.astimezone(UTC), None
    steady = _find_steady_offset(local.date(), zone)
    before = _read_offset(local, zone) if steady is None else steady
    utc = local - before
    # `combine` costs a quarter of `replace(tzinfo=UTC)`, and each forward comes through here.
    moment = datetime.combine(utc, utc.time(), UTC)
    if steady is not None:
        return moment, None
    after = _read_offset(local.replace(fold=1), zone)
    if before == after:
        return moment, None
    return moment, "time-ambiguous" if before > after else "time"


# What comes in masses came in the same few seconds.
_read_short = lru_cache(maxsize=1024)(_read)


def _parse_iso(text: str) -> datetime | None:
    # `fromisoformat` also accepts bare dates, week dates, hours alone and any separator, which are
    # no times of arrival that we would trust.
    if text[4:8:3] != "--" or text[10:11] not in _SEPARATORS or text[13:14] != ":":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _find_steady_offset(day: date, zone: ZoneInfo) -> timedelta | None:
    """The offset on that day and the days around it; None if it changes."""
    # No zone changes its offset twice within three days.
    midnight = datetime.combine(day, time())
    first, last = (_read_offset(midnight + days * _DAY, zone) for days in (-1, 2))
    return first if first == last else None


def _read_offset(local: datetime, zone: ZoneInfo) -> timedelta:
    # The type allows None, but a ZoneInfo always has an offset.
    return zone.utcoffset(local) or _NO_OFFSET
