"""/stats: what the counts give, by day and number."""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from app.api.core.calls import Call
from app.api.core.filters import NumberFilter, TimeFilter, read_numbers
from app.api.core.routing import make_router
from app.api.core.schemas import OUR_NUMBER, Shown, Time
from app.storage.operations.stats import ENDS, average_reply, count_days, rate_delivery
from app.storage.operations.stats import DayCount as StoredCount

router = make_router("/stats", "messages:read")

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
    """What came to one number and went out from it on one day."""

    day: str = Field(description="a day in UTC, as YYYY-MM-DD")
    number: str = Field(description="our number", examples=[OUR_NUMBER])
    received: int = Field(description="texts that arrived, from the report as well")
    with_problems: int = Field(description="of them, those that have `problems`")
    forwarded: int = Field(description="of them, those that the provider forwarded")
    reported: int = Field(description="texts that the provider's report has")
    missing: int = Field(description="of them, those that were never forwarded")
    sent: int = Field(description="texts that the provider took")
    delivered: int = Field(description="of the texts sent, those that arrived")
    undelivered: int = Field(description="of them, those that could not be delivered")
    failed: int = Field(description="texts that were refused, here or there")
    expired: int = Field(description="texts that were not handed over or delivered in time")
    delivery_rate: float | None = Field(
        description="delivered of those whose end is known; null where none is", examples=[0.98]
    )
    reply_seconds: float | None = Field(
        description="from a text's arrival to its answer's being taken, on average"
    )


class Stats(Shown):
    """Counts over whole days in UTC."""

    since: Time = Field(description="where the first day begins")
    until: Time | None = Field(description="where the last day ends; null: no end was asked for")
    items: list[DayCount] = Field(description="newest day first; days without any are left out")


@router.get("")
async def get_stats(call: Call, query: Annotated[StatsQuery, Query()]) -> Stats:
    """Count texts by day and number."""
    query = read_numbers(query, call.region)
    since = _begin_day(query.since or call.now - DEFAULT_PERIOD)
    until = _end_day(query.until)
    counts = await call.database.read(
        count_days,
        since=since.date().isoformat(),
        until=None if until is None else until.date().isoformat(),
        number=query.number,
    )
    return Stats(since=since, until=until, items=[_show_day(each) for each in counts])


def _show_day(day: StoredCount) -> DayCount:
    counts = day.counts
    shown = ("received", "with_problems", "reported", "missing", "sent", *ENDS)
    return DayCount(
        day=day.day,
        number=day.number,
        forwarded=counts["received"] - counts["fetched"],
        **{name: counts[name] for name in shown},
        delivery_rate=rate_delivery([day]),
        reply_seconds=average_reply([day]),
    )


def _begin_day(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def _end_day(moment: datetime | None) -> datetime | None:
    """The midnight before which days count; None for no end, also at the calendar's."""
    if moment is None or moment > datetime.max.replace(tzinfo=UTC) - _DAY:
        return None
    start = _begin_day(moment)
    return start if start == moment else start + _DAY
