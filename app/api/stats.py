"""/stats: what the counts give, by day and number."""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.api.dependencies import Keyring, make_router
from app.api.filters import NumberFilter, TimeFilter
from app.api.schemas import OUR_NUMBER, Shown, Time
from app.runtime import Runtime
from app.storage.stats import count_days

DEFAULT_PERIOD = timedelta(days=28)
_DAY = timedelta(days=1)


class StatsQuery(BaseModel):
    """The filters of /stats."""

    since: Annotated[
        TimeFilter, Field(description="counts from that time's day on; 28 days where it is absent")
    ] = None
    until: Annotated[
        TimeFilter, Field(description="counts up to that time's day; midnight excludes its day")
    ] = None
    number: Annotated[NumberFilter, Field(description="one of our numbers alone")] = None


class DayCount(Shown):
    """How many texts one number got on one day."""

    day: str = Field(description="a day of arrival in UTC", examples=["2026-06-01"])
    number: str = Field(examples=[OUR_NUMBER])
    received: int
    with_problems: int


class Stats(Shown):
    """Counts over whole days in UTC."""

    since: Time
    until: Time | None
    items: list[DayCount] = Field(description="newest day first; days without a text are left out")


def make_stats_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/stats", "messages:read")

    @router.get("")
    async def get_stats(query: Annotated[StatsQuery, Query()]) -> Stats:
        """Count texts by day and number."""
        since = _begin_day(query.since or runtime.now() - DEFAULT_PERIOD)
        until = _end_day(query.until)
        counts = await runtime.database.read(
            count_days,
            since=since.date().isoformat(),
            until=None if until is None else until.date().isoformat(),
            number=query.number,
        )
        items = [DayCount.model_validate(each) for each in counts]
        return Stats(since=since, until=until, items=items)

    return router


def _begin_day(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def _end_day(moment: datetime | None) -> datetime | None:
    """The midnight before which days count; None for no end, also at the calendar's."""
    if moment is None or moment > datetime.max.replace(tzinfo=UTC) - _DAY:
        return None
    start = _begin_day(moment)
    return start if start == moment else start + _DAY
