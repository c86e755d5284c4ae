"""Forwards and texts of the report that are the same text under different ids."""

from datetime import timedelta

import pytest

from app.domain.inbound.duplicates import TOLERANCE, Candidate, match_repeats
from tests.conftest import NOW

SECOND = timedelta(seconds=1)


def see(number: int, seconds: int = 0, body: str = "Hello", pair: int = 1) -> Candidate:
    return Candidate(number, pair, body, NOW + seconds * SECOND)


def test_the_same_text_at_about_the_same_time_is_a_repeat() -> None:
    assert match_repeats([see(1)], [see(2, 119)]) == {2: 1}


@pytest.mark.parametrize(
    "forward",
    [see(2, body="hello"), see(2, pair=2), see(2, int(TOLERANCE / SECOND) + 1), see(1)],
)
def test_another_text_pair_time_or_order_is_none(forward: Candidate) -> None:
    assert match_repeats([see(1)], [forward]) == {}


def test_a_text_that_the_report_damaged_is_a_repeat() -> None:
    assert match_repeats([see(1, body="Thanks ?")], [see(2, 5, body="Thanks 😀")]) == {2: 1}
    damaged = Candidate(1, 1, "Tha", NOW, "77")
    assert match_repeats([damaged], [Candidate(2, 1, "Thanks 😀", NOW, "77")]) == {2: 1}
    assert match_repeats([damaged], [Candidate(2, 1, "Thanks 😀", NOW, "78")]) == {}


def test_the_equal_text_goes_before_the_nearest() -> None:
    reported = [see(1, 0, body="Hi ?"), see(2, 60, body="Hi 😀")]
    assert match_repeats(reported, [see(3, 0, body="Hi 😀")]) == {3: 2}


def test_each_is_matched_once_the_nearest_first() -> None:
    reported = [see(1), see(2, 60)]
    forwarded = [see(3, 50), see(4, 10), see(5, 30)]
    assert match_repeats(reported, forwarded) == {3: 2, 4: 1}
