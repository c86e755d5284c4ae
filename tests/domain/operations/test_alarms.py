"""Alarms: how long is too long, and which lags tell of another zone."""

from datetime import timedelta

import pytest

from app.domain.operations.alarms import find_alarm_time, judge_lags, judge_old
from tests.conftest import NOW

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("gap", "alarm"), [(0.5, 6), (2, 6), (2.5, 7.5), (60, 180)])
def test_a_number_is_silent_after_three_times_its_longest_gap(gap: float, alarm: float) -> None:
    assert find_alarm_time(NOW, gap * HOUR) == NOW + alarm * HOUR


MINUTE = timedelta(minutes=1)
NONE = timedelta()
LAGS = [
    ([HOUR + 2 * SECOND] * 10, HOUR),
    ([HOUR - 2 * SECOND] * 10, HOUR),
    ([-HOUR] * 20, -HOUR),
    ([5 * HOUR + 4 * MINUTE] * 20, 5 * HOUR),
    ([HOUR] * 18 + [SECOND] * 2, HOUR),
    ([5 * HOUR + 45 * MINUTE + SECOND] * 20, 5 * HOUR + 45 * MINUTE),
    ([-30 * MINUTE] * 20, -30 * MINUTE),
    ([14 * HOUR] * 20, 14 * HOUR),
    # too few to tell, or half-way between two zones
    ([HOUR] * 9, None),
    ([], None),
    ([HOUR] * 12 + [SECOND] * 8, None),
    # as it should be, or late for another reason
    ([SECOND] * 20, NONE),
    ([HOUR] * 10 + [SECOND] * 10, NONE),
    ([33 * MINUTE] * 20, NONE),
    ([14 * HOUR + 15 * MINUTE] * 20, NONE),
    ([24 * HOUR] * 20, NONE),
    ([4033 * HOUR] * 20, NONE),
    ([-4033 * HOUR] * 20, NONE),
    ([7 * MINUTE * place for place in range(20)], NONE),
    ([place * HOUR for place in range(20)], NONE),
]


@pytest.mark.parametrize(("lags", "offset"), LAGS)
def test_a_steady_offset_that_zones_can_have_is_another_zone(
    lags: list[timedelta], offset: timedelta | None
) -> None:
    assert judge_lags(lags) == offset


@pytest.mark.parametrize(
    ("lags", "count"),
    [
        ([4033 * HOUR] * 20, 20),
        ([place * 30 * HOUR for place in range(1, 21)], 20),
        ([SECOND] * 10 + [15 * HOUR] * 10, 10),
        ([SECOND] * 11 + [15 * HOUR] * 9, None),
        ([SECOND] * 16 + [15 * HOUR] * 4, 0),
        ([14 * HOUR] * 20, 0),
        ([-4033 * HOUR] * 20, 0),
        ([4033 * HOUR] * 9, None),
    ],
)
def test_many_forwards_that_no_zone_makes_so_late_are_old(
    lags: list[timedelta], count: int | None
) -> None:
    old = judge_old(lags)
    assert (None if old is None else len(old)) == count
