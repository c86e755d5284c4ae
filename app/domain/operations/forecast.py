"""Says how long the credits last at the pace of late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

# Beyond that a forecast is a guess, and no page can show it.
HORIZON_DAYS = 365


@dataclass(frozen=True, slots=True)
class Forecast:
    """`low_on` and `empty_on` are None if beyond HORIZON_DAYS."""

    per_day: Decimal
    low_on: date | None
    empty_on: date | None

    def predict(self, balance: Decimal, days: int) -> list[Decimal]:
        """The balance today and at the end of each of the next days, never below 0."""
        return [max(balance - self.per_day * day, Decimal(0)) for day in range(days + 1)]


def forecast_credits(
    balance: Decimal,
    sent: Sequence[int],
    *,
    credits_each: Decimal,
    low_below: Decimal,
    today: date,
) -> Forecast:
    """From how many texts went out on each of the days before today, oldest first.

    The days before the first text are left out: nobody used it then. `credits_each` is what one
    text costs on average.
    """
    first = next((index for index, count in enumerate(sent) if count), len(sent))
    counted = sent[first:]
    per_day = credits_each * sum(counted) / len(counted) if counted else Decimal(0)
    return Forecast(
        per_day,
        _find_day(balance - low_below, per_day, today),
        _find_day(balance, per_day, today),
    )


def _find_day(left: Decimal, per_day: Decimal, today: date) -> date | None:
    """The day on which this much will have been used."""
    if left <= 0:
        return today
    if left >= per_day * HORIZON_DAYS:
        return None
    return today + timedelta(days=int(left / per_day))
