"""Writes times for the provider, and reads those of its reports, in its own zone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput

# Beyond these a time has no form of 14 digits, or none at all in another zone.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9999, 1, 1, tzinfo=UTC)

_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)

# In reports the day comes first; forms that begin with the year or name the month are unambiguous
# and are read too.
_DATES = (
    r"(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})[/.-](?P<year>\d{4})",
    r"(?P<year>\d{4})[/.-](?P<month>\d{1,2})[/.-](?P<day>\d{1,2})",
    r"(?P<day>\d{1,2})[ -](?P<month>[A-Za-z]{3})[A-Za-z]*[ -](?P<year>\d{4})",
)
_CLOCK = (
    r"(?:[ T]|, )\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?"
    r"\s*(?P<half>[AaPp])?(?(half)[Mm])\s*(?P<offset>Z|GMT|UTC|[+-]\d{2}:?\d{2})?"
)
_FORMS = (
    *(re.compile(date + _CLOCK) for date in _DATES),
    re.compile(
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?P<hour>\d{2})(?P<minute>\d{2})"
        r"(?P<second>\d{2})(?P<half>)(?P<offset>)"
    ),
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@dataclass(frozen=True, slots=True)
class ReportTime:
    """A time as a report gives it.

    `text` is as it came. `at` is aware UTC, None if there was no valid time. `ambiguous`: the time
    is in the hour that autumn repeats or spring skips, and `at` may be an hour off.
    """

    text: str
    at: datetime | None
    ambiguous: bool


NO_TIME = ReportTime("", None, ambiguous=False)


def read_report_time(text: str, zone: ZoneInfo) -> ReportTime:
    """Read `DD/MM/YYYY HH:MM:SS`; never raises, so that one bad field cannot fail a report."""
    if not text:
        return NO_TIME
    written = " ".join(text.split())
    match = next(filter(None, (form.fullmatch(written) for form in _FORMS)), None)
    if match is None:
        return ReportTime(text, None, ambiguous=False)
    try:
        local = _read_local(match.groupdict(), zone)
        at = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return ReportTime(text, None, ambiguous=False)
    return ReportTime(text, at, _is_ambiguous(local))


def _read_local(parts: Mapping[str, str | None], zone: ZoneInfo) -> datetime:
    """Raises ValueError for an invalid time."""
    year, month, hour = (parts[each] or "" for each in ("year", "month", "hour"))
    if not month.isdigit():
        month = str(_MONTHS.index(month.lower()) + 1)
    if parts["half"]:
        if not 1 <= int(hour) <= 12:
            raise ValueError(hour)
        hour = str(int(hour) % 12 + (12 if parts["half"] in "pP" else 0))
    clock = f"{int(hour):02}:{parts['minute']}:{parts['second'] or '00'}"
    offset = (parts["offset"] or "").replace("GMT", "Z").replace("UTC", "Z")
    day = int(parts["day"] or 0)
    at = datetime.fromisoformat(f"{year}-{int(month):02}-{day:02}T{clock}{offset}")
    return at if at.tzinfo else at.replace(tzinfo=zone)


def format_schedule(at: datetime, zone: ZoneInfo) -> str:
    """Write when the provider is to send: `YYYYMMDDHHMMSS` in its own zone.

    Raises InvalidInput for a time that the provider could misread: `at` without a zone, in the hour
    that spring skips in its own zone, or in the one that autumn repeats in the provider's.
    """
    _check_time(at, "schedule_at")
    if at.astimezone(UTC).astimezone(at.tzinfo).replace(tzinfo=None) != at.replace(tzinfo=None):
        raise InvalidInput(
            f"{at:%Y-%m-%d %H:%M} does not exist there: the clocks skip that hour",
            field="schedule_at",
        )
    local = at.astimezone(zone)
    if _is_ambiguous(local):
        raise InvalidInput(
            f"{local:%Y-%m-%d %H:%M} comes twice in {zone.key} and the provider cannot be told"
            " which one is meant: choose a time outside that hour",
            field="schedule_at",
        )
    return f"{local:%Y%m%d%H%M%S}"


def format_window(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """Write a report's From and To, so that they enclose the window that is asked for.

    A bound in the hour that autumn repeats moves out by up to two hours, one with fractions by up
    to a second. Raises InvalidInput for times without a zone, in the wrong order, before 1970 or
    after 9998.
    """
    _check_time(since, "since")
    _check_time(until, "until")
    if until < since:
        raise InvalidInput("the end lies before the beginning", field="until")
    begin = since.astimezone(UTC).replace(microsecond=0)
    end = until.astimezone(UTC)
    if end.microsecond:
        end = end.replace(microsecond=0) + _SECOND
    while _is_ambiguous(begin.astimezone(zone)):
        begin -= _HOUR
    while _is_ambiguous(end.astimezone(zone)):
        end += _HOUR
    return (
        f"{begin.astimezone(zone):%Y%m%d%H%M%S}",
        f"{end.astimezone(zone):%Y%m%d%H%M%S}",
    )


def _check_time(at: datetime, field: str) -> None:
    if at.tzinfo is None:
        raise InvalidInput(f"{field} needs a zone or an offset", field=field)
    if not _FIRST <= at < _END:
        raise InvalidInput(f"{at.isoformat()} lies before 1970 or after 9998", field=field)


def _is_ambiguous(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
