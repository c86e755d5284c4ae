"""What a report proves of a text whose outcome is unknown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.outbound.uncertain_resolution import (
    Finding,
    ReportedMessage,
    Sightings,
    UncertainText,
    find_persons_turn,
)

BEGAN = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=60)
TEXT = UncertainText(
    id=1,
    attempt=1,
    to="447700900011",
    source="447700900001",
    parts=1,
    began_at=BEGAN,
    ended_at=ENDED,
    absent_since=None,
    is_scheduled=False,
    has_unclear_sibling=False,
)
ROW = ReportedMessage("17", TEXT.to, TEXT.source, BEGAN, is_known=False)
LATER = ENDED + timedelta(seconds=1)


def decide(
    *rows: ReportedMessage,
    text: UncertainText = TEXT,
    latest: datetime | None = LATER,
    after: float = 700,
    proof: int = 600,
) -> Finding:
    sightings = Sightings(text)
    for row in rows:
        sightings.add(row)
    now = ENDED + timedelta(seconds=after)
    return sightings.judge(latest_listed=latest, now=now, proof_seconds=proof)


def test_exactly_one_row_with_an_unknown_id_is_adopted() -> None:
    assert decide(ROW, latest=None, proof=0) is Finding.ADOPT


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, is_known=True),
        replace(ROW, to="447700900012"),
    ],
)
def test_other_rows_do_not_speak_against_an_absence(row: ReportedMessage) -> None:
    assert decide(row) is Finding.SUSPECT


@pytest.mark.parametrize(
    "rows",
    [
        [ROW, replace(ROW, message_id="18")],
        [replace(ROW, message_id="")],
        [replace(ROW, source="447700900002")],
        [replace(ROW, source=None)],
        [replace(ROW, at=BEGAN - timedelta(minutes=11))],
    ],
)
def test_an_unknown_row_to_the_number_leaves_a_doubt(rows: list[ReportedMessage]) -> None:
    since = ENDED
    assert decide(*rows, text=replace(TEXT, absent_since=since)) is Finding.DOUBT


def test_a_row_without_a_time_may_be_it() -> None:
    assert decide(replace(ROW, at=None)) is Finding.ADOPT


def test_a_settled_sibling_without_an_id_makes_the_row_doubtful() -> None:
    assert decide(ROW, text=replace(TEXT, has_unclear_sibling=True)) is Finding.DOUBT


def test_an_absence_needs_a_later_text_that_the_report_lists() -> None:
    assert decide(latest=None) is Finding.WAIT
    assert decide(latest=ENDED) is Finding.WAIT
    assert decide(latest=LATER) is Finding.SUSPECT


def test_two_absences_so_far_apart_prove_it() -> None:
    first = ENDED + timedelta(seconds=100)
    text = replace(TEXT, absent_since=first)
    assert decide(text=text, after=699) is Finding.SUSPECT
    assert decide(text=text, after=700) is Finding.SEND_AGAIN
    assert decide(text=text, after=700, latest=None) is Finding.WAIT


def test_nothing_proves_a_schedule_of_the_providers_absent() -> None:
    text = replace(TEXT, absent_since=ENDED, is_scheduled=True)
    assert decide(text=text, after=9000) is Finding.WAIT


def test_without_a_time_of_proof_only_a_person_sends_again() -> None:
    text = replace(TEXT, absent_since=ENDED)
    assert decide(text=text, after=9000, proof=0) is Finding.WAIT
    assert find_persons_turn(text, 0) == ENDED


def test_the_rows_of_a_long_texts_parts_are_one_message() -> None:
    long = replace(TEXT, parts=3)
    rows = [replace(ROW, message_id=str(number)) for number in (19, 17, 18)]
    assert decide(*rows, text=long) is Finding.ADOPT
    assert decide(ROW, text=long) is Finding.ADOPT
    assert decide(*rows[:2], text=long) is Finding.DOUBT
    assert decide(*rows[:2], replace(ROW, message_id="25"), text=long) is Finding.DOUBT
    assert decide(*rows, replace(ROW, message_id="20"), text=long) is Finding.DOUBT


def test_a_person_is_asked_after_a_while() -> None:
    assert find_persons_turn(TEXT, 600) == ENDED + timedelta(minutes=30)
    assert find_persons_turn(TEXT, 3600) == ENDED + timedelta(hours=3)
