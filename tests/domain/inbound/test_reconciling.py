"""Which rows of a report are texts that we have."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.inbound.messages import StoredMessage
from app.domain.inbound.reconciling import (
    ReportedText,
    is_same_text,
    match_by_id,
    match_by_text,
)
from tests.support.messages import make_stored

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SENDER, OURS = "447700900123", "447700900100"


def row(
    provider_id: str, body: str = "yes", minutes: float = 0, *, is_ambiguous: bool = False
) -> ReportedText:
    at = NOON + timedelta(minutes=minutes)
    return ReportedText(provider_id, SENDER, OURS, body, at, is_ambiguous)


def stored(number: int, body: str = "yes", minutes: float = 0) -> StoredMessage:
    return make_stored(body, id=number, received_at=NOON + timedelta(minutes=minutes))


def test_the_same_id_numbers_and_text_are_the_same_message() -> None:
    rows = [row("1"), row("2", "no"), row("3")]
    known = {
        (OURS, SENDER, "1"): [stored(7, minutes=600)],
        (OURS, SENDER, "2"): [stored(8, "another text", minutes=11)],
    }
    assert match_by_id(rows, known) == {0: 7}


LOST = [
    "Thanks ?",
    "Thanks ??",
    "Thanks",
    "Thanks \ufffd",
    "Thanks \xf0\u0178\u02dc\u20ac",
    "",
    "T",
]


@pytest.mark.parametrize("body", LOST)
@pytest.mark.parametrize("minutes", [0, 9, -9])
def test_the_same_id_and_numbers_at_about_the_same_time_are_one_message(
    body: str, minutes: float
) -> None:
    known = {(OURS, SENDER, "1"): [stored(7, "Thanks 😀", minutes)]}
    assert match_by_id([row("1", body)], known) == {0: 7}


def test_under_one_id_equal_texts_go_together_first() -> None:
    known = {(OURS, SENDER, "1"): [stored(7, "part one"), stored(8, "part two")]}
    rows = [row("1", "part two"), row("1", "part one"), row("1", "part three")]
    assert match_by_id(rows, known) == {0: 8, 1: 7}


def test_what_another_row_has_is_not_matched_again() -> None:
    assert match_by_id([row("1")], {(OURS, SENDER, "1"): [stored(7)]}, {7}) == {}


@pytest.mark.parametrize(("body", "is_same"), [("Thanks ?", True), ("Never", False)])
def test_without_a_time_the_text_decides(body: str, is_same: bool) -> None:
    timeless = ReportedText("1", SENDER, OURS, body, None)
    known = {(OURS, SENDER, "1"): [stored(7, "Thanks 😀")]}
    assert match_by_id([timeless], known) == ({0: 7} if is_same else {})


ALIKE = [
    ("Thanks 😀", "Thanks ?"),
    ("Thanks 😀", "Thanks"),
    ("Thanks 😀!", "Thanks ????!"),
    ("😀", "?"),
    ("I can\u2019t", "I can't"),
    ("I can\u2019t", "I can?t"),
    ("I can\u2019t", "I canâ€™t"),
    ("Café", "Cafe"),
    ("Café", "Caf?"),
    ("£5 & more", "?5 &amp; more"),
    ("Привет как дела", "?????? ??? ????"),
    ("Tom & Jerry", "Tom &amp; Jerry"),
    ("a\u00a0b", "a b"),
]
UNLIKE = [
    ("Yes", "Yes?"),
    ("Yes", "No"),
    ("Yes!", "Yes"),
    ("yes", "Yes"),
    ("Thanks 😀", "Thanks a lot"),
    ("😀", "STOP"),
    ("Café 5", "Cafe 6"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_a_text_that_lost_characters_is_the_same_text(one: str, other: str) -> None:
    assert is_same_text(one, other)
    assert is_same_text(other, one)
    assert match_by_text({0: row("1", other)}, [stored(7, one)]) == {0: 7}
    assert match_by_text({0: row("1", one)}, [stored(7, other)]) == {0: 7}


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_a_text_that_lost_nothing_is_another_text(one: str, other: str) -> None:
    assert not is_same_text(one, other)
    assert match_by_text({0: row("1", other)}, [stored(7, one)]) == {}


def test_equal_texts_go_together_before_damaged_ones() -> None:
    rows = {0: row("1", "Hi ?", 0), 1: row("2", "Hi ?", 5)}
    known = [stored(7, "Hi 😀", 5), stored(8, "Hi ?", 5)]
    assert match_by_text(rows, known) == {0: 7, 1: 8}


def test_a_row_that_comes_twice_is_matched_once() -> None:
    assert match_by_id([row("1"), row("1")], {(OURS, SENDER, "1"): [stored(7)]}) == {0: 7}


@pytest.mark.parametrize("body", [" yes ", "yes\r\n", "yes"])
def test_a_report_may_trim_a_text(body: str) -> None:
    assert match_by_text({0: row("1", body)}, [stored(7)]) == {0: 7}


def test_the_nearest_go_together_and_each_once() -> None:
    rows = {0: row("1", minutes=0), 1: row("2", minutes=4), 2: row("3", minutes=5)}
    assert match_by_text(rows, [stored(7, minutes=4.1), stored(8, minutes=-1)]) == {1: 7, 0: 8}


@pytest.mark.parametrize(("minutes", "is_same"), [(10, True), (10.1, False), (60, False)])
def test_a_time_too_far_off_is_another_text(minutes: float, is_same: bool) -> None:
    found = match_by_text({0: row("1", minutes=minutes)}, [stored(7)])
    assert found == ({0: 7} if is_same else {})


@pytest.mark.parametrize("minutes", [-60, 0, 60, 65])
def test_in_the_hour_that_comes_twice_a_time_may_be_an_hour_off(minutes: float) -> None:
    assert match_by_text({0: row("1", minutes=minutes, is_ambiguous=True)}, [stored(7)]) == {0: 7}


def test_another_text_is_no_match() -> None:
    assert match_by_text({0: row("1", "no")}, [stored(7)]) == {}
