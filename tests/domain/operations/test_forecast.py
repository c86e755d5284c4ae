"""How long the credits last."""

from datetime import date
from decimal import Decimal

import pytest

from app.domain.operations.forecast import Forecast, forecast_credits

TODAY = date(2026, 6, 1)


def forecast(balance: int, sent: list[int], *, each: str = "1", low: int = 50) -> Forecast:
    return forecast_credits(
        Decimal(balance),
        sent,
        credits_each=Decimal(each),
        low_below=Decimal(low),
        today=TODAY,
    )


def test_credits_run_out_at_the_pace_of_late() -> None:
    found = forecast(150, [10, 0, 20])
    assert found.per_day == 10
    assert found.low_on == date(2026, 6, 11)
    assert found.empty_on == date(2026, 6, 16)


def test_days_before_the_first_text_slow_nothing_down() -> None:
    assert forecast(150, [0, 0, 0, 10, 20]).per_day == 15


def test_long_texts_use_up_more() -> None:
    assert forecast(150, [10], each="2.5").per_day == 25


@pytest.mark.parametrize("sent", [[], [0, 0]])
def test_credits_that_nobody_uses_last(sent: list[int]) -> None:
    assert forecast(150, sent) == Forecast(Decimal(0), None, None)


def test_credits_below_the_mark_are_low_today() -> None:
    found = forecast(20, [10])
    assert (found.low_on, found.empty_on) == (TODAY, date(2026, 6, 3))


def test_no_credits_are_none_today_though_nothing_is_sent() -> None:
    assert forecast(0, [0]).empty_on == TODAY


def test_a_forecast_ends_at_its_horizon() -> None:
    assert forecast(365, [1], low=0).empty_on is None
    assert forecast(364, [1], low=0).empty_on == date(2027, 5, 31)


def test_balances_never_fall_below_nothing() -> None:
    assert forecast(25, [10]).predict(Decimal(25), 4) == [25, 15, 5, 0, 0]
