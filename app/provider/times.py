"""The provider's local times: how they are written for it, and read from its reports."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput

# Beyond these a time has no form of 14 digits, or none at all in another zone.
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9999, 1, 1, tzinfo=UTC)

_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)

# The day comes first in reports; the forwarding's form, which begins with the year, cannot be
# taken for it and is read as well.
_DAY_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?")
_YEAR_FIRST = re.compile(r"(\d{4})-(\d{2})-(\d{2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True)
class ReportTime:
    """A time as a report gives it.

    `text` is what stood there. `at` is aware UTC, None where nothing or no time stood there.
    `ambiguous` says that the hour is one which autumn repeats (the earlier one is taken) or
    spring skips (the offset before the change is taken): `at` may then be an hour off.
    """

    text: str
    at: datetime | None
    ambiguous: bool


NO_TIME = ReportTime("", None, ambiguous=False)


def read_report_time(text: str, zone: ZoneInfo) -> ReportTime:
    """Read `DD/MM/YYYY HH:MM:SS`; never raises, for one odd field must not cost a report."""
    if not text:
        return NO_TIME
    stripped = text.strip()
    if match := _DAY_FIRST.fullmatch(stripped):
        day, month, year, hour, minute, second = match.groups("0")
    elif match := _YEAR_FIRST.fullmatch(stripped):
        year, month, day, hour, minute, second = match.groups("0")
    else:
        return ReportTime(text, None, ambiguous=False)
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=zone
        )
        at = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return ReportTime(text, None, ambiguous=False)
    return ReportTime(text, at, _is_ambiguous(local))


def format_schedule(at: datetime, zone: ZoneInfo) -> str:
    """Write the time at which the provider shall send: `YYYYMMDDHHMMSS` by its own clock.

    Raises InvalidInput for a time that the provider could read as another one: `at` without a
    zone, in the hour that spring skips in its own zone, or in the one that autumn repeats in the
    provider's; or as none.
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
    """Write a report's From and To, so that the window holds all of what is asked for.

    It begins or ends up to two hours further out where a bound lies in the hour that autumn
    repeats, and up to a second where a bound has fractions. Raises InvalidInput for times without
    a zone, in the wrong order, or before 1970 or after 9998.
    """
    _check_time(since, "since")
    _check_time(until, "until")
    if until < since:
        raise InvalidInput("until lies before since", field="until")
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
