"""When a rule holds: days and hours in a zone, across midnight and the changes of the clock."""

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = "00:00"

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DAY = timedelta(days=1)
# Variants that systems keep beside the zones themselves.
_NO_ZONES = frozenset({"posix", "posixrules", "right"})


def is_within_hours(
    moment: datetime,
    zone: ZoneInfo,
    *,
    days: Sequence[str] | None,
    begins: str | None,
    ends: str | None,
) -> bool:
    """Whether the clock on the wall in `zone` is within the hours of one of the days.

    `ends` is exclusive. Hours that end before they begin reach into the next day, and belong to the
    day on which they began. What the clock shows decides: an hour that autumn repeats holds twice,
    one that spring skips never comes.
    """
    local = moment.astimezone(zone)
    now = local.time()
    start, end = read_hour(begins or MIDNIGHT), read_hour(ends or MIDNIGHT)
    if end > start or end == read_hour(MIDNIGHT):
        began_today = now >= start and (now < end or end == read_hour(MIDNIGHT))
        return began_today and _is_one_of(days, local)
    if now >= start:
        return _is_one_of(days, local)
    return now < end and _is_one_of(days, local - _DAY)


def read_hour(text: str) -> time:
    """A time of day that `check_hours` has found good."""
    return time.fromisoformat(text)


def check_hours(
    *, days: Sequence[str] | None, begins: str | None, ends: str | None, timezone: str
) -> None:
    """Raises InvalidInput, which names the field as programs know it."""
    if days is not None:
        if not days:
            raise InvalidInput("name at least one day, or leave it out for all", field="days")
        for day in days:
            if day not in DAYS:
                raise InvalidInput(f"the days are {', '.join(DAYS)}", field="days")
        if len(set(days)) < len(days):
            raise InvalidInput("a day stands there twice", field="days")
    for field, value in (("from", begins), ("to", ends)):
        if value is not None and not _TIME.fullmatch(value):
            raise InvalidInput("write a time of day like 09:00", field=field)
    if (begins is not None or ends is not None) and (begins or MIDNIGHT) == (ends or MIDNIGHT):
        raise InvalidInput("nothing lies between these hours; leave both out for all", field="to")
    if not is_zone(timezone):
        raise InvalidInput("no such time zone; write one like Europe/London", field="timezone")


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name.

    Not by the list of all, which takes a walk through hundreds of files.
    """
    if name.partition("/")[0] in _NO_ZONES:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_one_of(days: Sequence[str] | None, local: datetime) -> bool:
    return days is None or DAYS[local.weekday()] in days
