"""The figures of the overview, as plots."""

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from app.storage.operations.stats import DayCount
from app.web.operations.figures import (
    draw_plots,
    foresee_credits,
    list_days,
    show_count,
    show_seconds,
)

TODAY = date(2026, 6, 3)
SHOP, BAR = "447700900100", "447700900101"
COUNTS = [
    DayCount(
        "2026-06-03", SHOP, Counter({"received": 4, "sent": 2, "replied": 2, "reply_seconds": 5})
    ),
    DayCount("2026-06-03", BAR, Counter({"received": 1, "sent": 2, "replied": 0})),
    DayCount("2026-06-01", SHOP, Counter({"received": 2, "sent": 6, "delivered": 3, "failed": 1})),
]


def test_days_end_with_the_last() -> None:
    assert list_days(TODAY, 3) == [date(2026, 6, 1), date(2026, 6, 2), TODAY]


def test_texts_are_told_apart_by_number() -> None:
    received = draw_plots(COUNTS, {SHOP: "Shop"}, list_days(TODAY, 3))[0]
    assert received.names == ("Shop", "+44 7700 900101")
    assert [row.cells for row in received.rows] == [("4", "1"), ("0", "0"), ("2", "0")]


def test_rates_have_no_value_where_nothing_ended() -> None:
    _, _, replies, delivery = draw_plots(COUNTS, {}, list_days(TODAY, 3))
    assert [row.cells[0] for row in replies.rows] == ["2.5 s", "-", "-"]
    assert [row.cells[0] for row in delivery.rows] == ["-", "-", "75 %"]


def test_today_is_not_over_and_counts_for_no_forecast() -> None:
    found = foresee_credits(
        Decimal(60), COUNTS, credits_each=1.5, low_below=Decimal(50), today=TODAY, days=2
    )
    assert found.forecast.per_day == Decimal("4.5")
    assert found.forecast.low_on == date(2026, 6, 5)
    assert found.plot.rows[-1].cells == ("60",)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.52, "0.5 s"),
        (12.4, "12 s"),
        (185, "3 min 5 s"),
        (180, "3 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations_read_as_people_say_them(value: float, text: str) -> None:
    assert show_seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.5, "0.5"), (2, "2"), (1234.5, "1,234")])
def test_counts_are_short(value: float, text: str) -> None:
    assert show_count(value) == text
