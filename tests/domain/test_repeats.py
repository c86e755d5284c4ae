"""Forwards and texts of the report that are the same text under different ids."""

from datetime import timedelta

import pytest

from app.domain.repeats import TOLERANCE, Sighting, match_repeats
from tests.conftest import NOW

SECOND = timedelta(seconds=1)


def see(number: int, seconds: int = 0, body: str = "Hello", pair: int = 1) -> Sighting:
    return Sighting(number, pair, body, NOW + seconds * SECOND)


def test_the_same_text_at_about_the_same_time_is_a_repeat() -> None:
    assert match_repeats([see(1)], [see(2, 119)]) == {2: 1}


@pytest.mark.parametrize(
    "forward",
    [see(2, body="hello"), see(2, pair=2), see(2, int(TOLERANCE / SECOND) + 1), see(1)],
)
def test_another_text_pair_time_or_order_is_none(forward: Sighting) -> None:
    assert match_repeats([see(1)], [forward]) == {}


def test_each_is_matched_once_the_nearest_first() -> None:
    reported = [see(1), see(2, 60)]
    forwarded = [see(3, 50), see(4, 10), see(5, 30)]
    assert match_repeats(reported, forwarded) == {3: 2, 4: 1}
