"""When a delivery is tried again, and what an endpoint's answer means for that."""

from datetime import timedelta

import pytest

from app.domain.webhooks.retries import MOST_ATTEMPTS, EndpointAnswer, Verdict, plan_retry
from tests.support.clock import NOW

HOUR = timedelta(hours=1)


def answer(status: int | None, retry_after: float | None = None) -> EndpointAnswer:
    return EndpointAnswer(status, "", "", 0.1, retry_after)


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [
        (1, timedelta(seconds=5)),
        (2, timedelta(minutes=5)),
        (3, HOUR / 2),
        (4, 2 * HOUR),
        (5, 5 * HOUR),
        (6, 10 * HOUR),
        (7, 14 * HOUR),
        (8, 20 * HOUR),
        (9, 24 * HOUR),
    ],
)
def test_the_waits_grow_and_are_spread_by_a_tenth(attempts: int, wait: timedelta) -> None:
    assert plan_retry(attempts, NOW, 0.5) == NOW + wait
    assert plan_retry(attempts, NOW, 0.0) == NOW + 0.9 * wait
    assert plan_retry(attempts, NOW, 1.0) == NOW + 1.1 * wait


def test_after_ten_attempts_there_is_no_other() -> None:
    assert MOST_ATTEMPTS == 10
    assert plan_retry(10, NOW, 0.5) is None


def test_what_the_endpoint_asks_for_is_never_undercut() -> None:
    assert plan_retry(1, NOW, 0.5, HOUR) == NOW + HOUR
    assert plan_retry(9, NOW, 0.5, HOUR) == NOW + 24 * HOUR


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (299, Verdict.DELIVERED),
        (301, Verdict.FAILED),
        (410, Verdict.GONE),
        (404, Verdict.FAILED),
        (500, Verdict.FAILED),
        (None, Verdict.FAILED),
    ],
)
def test_only_2xx_is_a_success(status: int | None, verdict: Verdict) -> None:
    assert answer(status).verdict is verdict


@pytest.mark.parametrize(
    ("status", "retry_after", "pause"),
    [
        (429, 60.0, timedelta(minutes=1)),
        (503, 60.0, timedelta(minutes=1)),
        (429, 1e9, timedelta(days=1)),
        (429, None, timedelta()),
        (500, 60.0, timedelta()),
        (200, 60.0, timedelta()),
    ],
)
def test_retry_after_counts_for_a_day_at_most(
    status: int, retry_after: float | None, pause: timedelta
) -> None:
    assert answer(status, retry_after).pause == pause
