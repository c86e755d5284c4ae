"""Plots of the counts by day and number, and of how long the credits will last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from app.domain.numbers import write_number
from app.domain.operations.forecast import Forecast, forecast_credits
from app.storage.operations.stats import DayCount, average_reply, rate_delivery
from app.web.core.rendering.plots import Plot, Series, plot_bars, plot_lines

FORESEEN_DAYS = 28


@dataclass(frozen=True, slots=True)
class Credits:
    """The balance when it was last checked, and how long it will last at the current rate."""

    balance: Decimal
    forecast: Forecast
    plot: Plot


def list_days(last: date, count: int) -> list[date]:
    """So many days that end with the last, oldest first."""
    return [last - timedelta(days=count - 1 - index) for index in range(count)]


def draw_plots(
    counts: Sequence[DayCount], labels: Mapping[str, str], days: Sequence[date]
) -> list[Plot]:
    """Texts received and sent, reply times and delivery rates."""
    by_day: dict[str, list[DayCount]] = {}
    for each in counts:
        by_day.setdefault(each.day, []).append(each)
    together = [by_day.get(day.isoformat(), []) for day in days]
    return [
        *(
            plot_bars(name, title, days, _split(counts, labels, days, name), show=show_count)
            for name, title in (("received", "Texts received"), ("sent", "Texts sent"))
        ),
        plot_lines(
            "replies",
            "Average reply time",
            days,
            [Series("All numbers", [average_reply(each) for each in together])],
            show=show_seconds,
        ),
        plot_lines(
            "delivery",
            "Delivery rate",
            days,
            [Series("All numbers", [rate_delivery(each) for each in together])],
            show=show_share,
            top=1.0,
        ),
    ]


def foresee_credits(
    balance: Decimal,
    counts: Sequence[DayCount],
    *,
    credits_each: float,
    low_below: Decimal,
    today: date,
    days: int,
) -> Credits:
    """From what was sent on the days before today."""
    past = list_days(today - timedelta(days=1), days)
    sent = [
        sum(each.counts["sent"] for each in counts if each.day == day.isoformat()) for day in past
    ]
    forecast = forecast_credits(
        balance,
        sent,
        credits_each=Decimal(str(round(credits_each, 3))),
        low_below=low_below,
        today=today,
    )
    ahead = [today + timedelta(days=index) for index in range(FORESEEN_DAYS + 1)]
    left = [float(each) for each in forecast.predict(balance, FORESEEN_DAYS)]
    plot = plot_lines(
        "credits", "Credits at this pace", ahead, [Series("Credits left", left)], show=show_count
    )
    return Credits(balance, forecast, plot)


def show_count(value: float) -> str:
    """`1,234`, and a tenth where a small value has one."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def show_seconds(value: float) -> str:
    """`0.5 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if value < 10 and value != int(value):
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"{seconds} s"


def show_share(value: float) -> str:
    """`97 %`."""
    return f"{100 * value:.0f} %"


def _split(
    counts: Sequence[DayCount], labels: Mapping[str, str], days: Sequence[date], name: str
) -> list[Series]:
    """A series for each number that has anything of that name."""
    places = {day.isoformat(): index for index, day in enumerate(days)}
    values: dict[str, list[int]] = {}
    for each in counts:
        if each.day in places and (count := each.counts[name]):
            values.setdefault(each.number, [0] * len(days))[places[each.day]] += count
    return [
        Series(labels.get(number) or write_number(number) or "no number", values[number])
        for number in sorted(values)
    ]
