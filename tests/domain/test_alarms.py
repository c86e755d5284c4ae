"""Alarms: how long is too long, and which lags tell of another zone."""

from datetime import timedelta

import pytest

from app.domain.alarms import find_alarm_time, judge_lags
from tests.conftest import NOW

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("gap", "alarm"), [(0.5, 6), (2, 6), (2.5, 7.5), (60, 180)])
def test_a_number_is_silent_after_three_times_its_longest_gap(gap: float, alarm: float) -> None:
    assert find_alarm_time(NOW, gap * HOUR) == NOW + alarm * HOUR


LAGS = [
    ([HOUR + 2 * SECOND] * 10, 1),
    ([HOUR - 2 * SECOND] * 10, 1),
    ([-HOUR] * 20, -1),
    ([5 * HOUR + timedelta(minutes=4)] * 20, 5),
    ([HOUR] * 18 + [SECOND] * 2, 1),
    # too few to tell, or half-way between two zones
    ([HOUR] * 9, None),
    ([], None),
    ([HOUR] * 12 + [SECOND] * 8, None),
    # as it should be, or late for another reason
    ([SECOND] * 20, 0),
    ([HOUR] * 10 + [SECOND] * 10, 0),
    ([timedelta(minutes=30)] * 20, 0),
    ([timedelta(minutes=7 * place) for place in range(20)], 0),
    ([place * HOUR for place in range(20)], 0),
]


@pytest.mark.parametrize(("lags", "hours"), LAGS)
def test_a_steady_whole_hour_is_another_zone(lags: list[timedelta], hours: int | None) -> None:
    assert judge_lags(lags) == hours
