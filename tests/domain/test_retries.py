"""What follows from a call: by fate, class, try and time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.fates import ErrorClass, Fate
from app.domain.retries import Step, compute_pause, decide_step, find_next_day
from app.domain.transitions import OutboundEvent as E

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")


def decide(
    fate: Fate, error_class: ErrorClass | None = None, *, valid_hours: float = 24, attempt: int = 1
) -> Step:
    return decide_step(
        fate,
        error_class,
        attempt=attempt,
        now=NOW,
        valid_until=NOW + timedelta(hours=valid_hours),
        zone=LONDON,
        draw=0.5,
    )


@pytest.mark.parametrize("error_class", [None, *ErrorClass])
def test_what_is_unknown_is_uncertain_whatever_its_class(error_class: ErrorClass | None) -> None:
    assert decide(Fate.UNKNOWN, error_class) == Step(E.UNCLEAR)


@pytest.mark.parametrize("error_class", [None, *ErrorClass])
def test_what_is_taken_is_sent_whatever_its_class(error_class: ErrorClass | None) -> None:
    assert decide(Fate.TAKEN, error_class) == Step(E.TAKEN)


def test_an_account_error_stops_the_sender_and_keeps_the_place() -> None:
    step = decide(Fate.REFUSED, ErrorClass.ACCOUNT)
    assert step == Step(E.HELD, held_reason="account", stops_sender=True)


def test_a_daily_limit_holds_until_londons_midnight() -> None:
    step = decide(Fate.REFUSED, ErrorClass.DAILY_LIMIT)
    midnight = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)  # British summer time
    assert step == Step(E.HELD, at=midnight, held_reason="daily-limit")


def test_a_daily_limit_fails_what_is_of_no_use_tomorrow() -> None:
    assert decide(Fate.REFUSED, ErrorClass.DAILY_LIMIT, valid_hours=11) == Step(E.REFUSED)


def test_a_blacklisted_number_opts_out() -> None:
    assert decide(Fate.REFUSED, ErrorClass.REFUSED_NUMBER) == Step(E.REFUSED, opts_out=True)


def test_what_nobody_called_for_keeps_its_place_while_it_is_of_use() -> None:
    assert decide(Fate.NOT_TAKEN) == Step(E.NOT_TAKEN)
    assert decide(Fate.NOT_TAKEN, valid_hours=0) == Step(E.OVERDUE)


def test_a_code_of_one_number_among_many_has_each_tried_alone_at_once() -> None:
    assert decide(Fate.REFUSED, ErrorClass.SOME_NUMBER) == Step(E.NOT_TAKEN, at=NOW)


def test_a_permanent_error_fails_at_once() -> None:
    assert decide(Fate.REFUSED, ErrorClass.PERMANENT) == Step(E.REFUSED)


@pytest.mark.parametrize("fate", [Fate.NOT_TAKEN, Fate.REFUSED])
def test_a_passing_error_is_tried_again_with_a_pause(fate: Fate) -> None:
    step = decide(fate, ErrorClass.PASSING, attempt=3)
    assert step == Step(E.NOT_TAKEN, at=NOW + timedelta(seconds=6))


def test_a_passing_error_ends_with_the_validity() -> None:
    step = decide(Fate.NOT_TAKEN, ErrorClass.PASSING, valid_hours=0.0001)
    assert step == Step(E.OVERDUE)


def test_pauses_double_up_to_five_minutes_and_half_of_each_is_chance() -> None:
    assert [compute_pause(n, 1).total_seconds() for n in (1, 2, 3, 8, 9, 500)] == [
        2, 4, 8, 256, 300, 300,
    ]  # fmt: skip
    assert compute_pause(4, 0).total_seconds() == 8


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-01-10T12:00Z", "2026-01-11T00:00Z"),
        ("2026-06-01T22:59Z", "2026-06-01T23:00Z"),
        ("2026-06-01T23:00Z", "2026-06-02T23:00Z"),
        ("2026-03-28T12:00Z", "2026-03-29T00:00Z"),  # the day that springs
        ("2026-03-29T12:00Z", "2026-03-29T23:00Z"),
        ("2026-10-25T12:00Z", "2026-10-26T00:00Z"),  # the day of 25 hours
    ],
)
def test_the_next_day_begins_at_londons_midnight(now: str, midnight: str) -> None:
    assert find_next_day(datetime.fromisoformat(now), LONDON) == datetime.fromisoformat(midnight)
