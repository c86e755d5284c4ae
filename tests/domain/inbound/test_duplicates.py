"""Forwards and texts of the report that are the same text under different ids."""

from datetime import timedelta
from typing import Any

import pytest

from app.domain.inbound.duplicates import TOLERANCE, match_duplicates
from app.domain.inbound.messages import StoredMessage
from tests.conftest import NOW
from tests.support.messages import make_stored

SECOND = timedelta(seconds=1)


def see(number: int, seconds: int = 0, body: str = "Hello", **fields: Any) -> StoredMessage:
    return make_stored(body, id=number, received_at=NOW + seconds * SECOND, **fields)


def test_the_same_text_at_about_the_same_time_is_a_duplicate() -> None:
    assert match_duplicates([see(1)], [see(2, 119)]) == {2: 1}


@pytest.mark.parametrize(
    "forward",
    [
        see(2, body="hello"),
        see(2, source="447700900124"),
        see(2, int(TOLERANCE / SECOND) + 1),
        see(1),
    ],
)
def test_another_text_pair_time_or_order_is_none(forward: StoredMessage) -> None:
    assert match_duplicates([see(1)], [forward]) == {}


def test_a_text_that_the_report_damaged_is_a_duplicate() -> None:
    assert match_duplicates([see(1, body="Thanks ?")], [see(2, 5, body="Thanks 😀")]) == {2: 1}
    damaged = see(1, body="Tha", provider_id="77")
    assert match_duplicates([damaged], [see(2, body="Thanks 😀", provider_id="77")]) == {2: 1}
    assert match_duplicates([damaged], [see(2, body="Thanks 😀", provider_id="78")]) == {}


def test_the_equal_text_goes_before_the_nearest() -> None:
    reported = [see(1, 0, body="Hi ?"), see(2, 60, body="Hi 😀")]
    assert match_duplicates(reported, [see(3, 0, body="Hi 😀")]) == {3: 2}


def test_each_is_matched_once_the_nearest_first() -> None:
    reported = [see(1), see(2, 60)]
    forwarded = [see(3, 50), see(4, 10), see(5, 30)]
    assert match_duplicates(reported, forwarded) == {3: 2, 4: 1}
