"""When a rule applies: days and hours in a zone, across midnight and changes of the clock."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from app.domain.errors import InvalidInput

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
MIDNIGHT = "00:00"

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
# Folders of variants that systems keep next to the zones.
_NO_ZONES = frozenset({"posix", "posixrules", "right"})


def is_within_hours(
    moment: datetime,
    zone: ZoneInfo,
    *,
    days: Sequence[str] | None,
    begins: str | None,
    ends: str | None,
) -> bool:
    """Whether the local time in `zone` is within the hours of one of the days.

    `ends` is exclusive. Hours that end before they begin reach into the next day, and belong to the
    day on which they began. The hour that autumn repeats counts twice; the one that spring skips
    never comes.
    """
    local = moment.astimezone(zone)
    now = local.time()
    start, end = time.fromisoformat(begins or MIDNIGHT), time.fromisoformat(ends or MIDNIGHT)
    if end > start or end == time():
        began_today = now >= start and (now < end or end == time())
        return began_today and _is_one_of(days, local)
    if now >= start:
        return _is_one_of(days, local)
    return now < end and _is_one_of(days, _find_eve(local, zone))


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
            raise InvalidInput("the same day is named twice", field="days")
    for field, value in (("from", begins), ("to", ends)):
        if value is not None and not _TIME.fullmatch(value):
            raise InvalidInput("write a time of day like 09:00", field=field)
    if (begins is not None or ends is not None) and (begins or MIDNIGHT) == (ends or MIDNIGHT):
        raise InvalidInput("nothing lies between these hours; leave both out for all", field="to")
    if not is_zone(timezone):
        raise InvalidInput("no such time zone; write one like Europe/London", field="timezone")


def is_zone(name: str) -> bool:
    """Whether there is a time zone of that name.

    Listing all zones would read hundreds of files.
    """
    if name.partition("/")[0] in _NO_ZONES:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _find_eve(local: datetime, zone: ZoneInfo) -> datetime:
    """The end of the day before, which is not yesterday where a zone left one out."""
    midnight = datetime.combine(local.date(), time(), zone).astimezone(UTC)
    return (midnight - timedelta.resolution).astimezone(zone)


def _is_one_of(days: Sequence[str] | None, local: datetime) -> bool:
    return days is None or DAYS[local.weekday()] in days
