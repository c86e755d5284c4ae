"""What follows from a call: by outcome, class, try and time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.outbound.retries import (
    Step,
    compute_pause,
    compute_rest,
    decide_step,
    find_next_day,
)
from app.domain.outbound.send_outcomes import ErrorClass, SendOutcome, StopCause
from app.domain.outbound.transitions import OutboundEvent as E

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")


def decide(
    outcome: SendOutcome,
    error_class: ErrorClass | None = None,
    *,
    valid_hours: float = 24,
    attempt: int = 1,
    rest_seconds: float | None = None,
) -> Step:
    return decide_step(
        outcome,
        error_class,
        attempt=attempt,
        now=NOW,
        valid_until=NOW + timedelta(hours=valid_hours),
        zone=LONDON,
        draw=0.5,
        rest_seconds=rest_seconds,
    )


@pytest.mark.parametrize("error_class", [None, *ErrorClass])
def test_what_is_unknown_is_uncertain_whatever_its_class(error_class: ErrorClass | None) -> None:
    stop = StopCause.UNCLEAR if error_class is ErrorClass.AMBIGUOUS else None
    assert decide(SendOutcome.UNKNOWN, error_class) == Step(E.UNCLEAR, stop=stop)


@pytest.mark.parametrize("error_class", [None, *ErrorClass])
def test_what_is_taken_is_sent_whatever_its_class(error_class: ErrorClass | None) -> None:
    assert decide(SendOutcome.TAKEN, error_class) == Step(E.TAKEN)


def test_an_account_error_stops_the_sender_and_keeps_the_place() -> None:
    step = decide(SendOutcome.REFUSED, ErrorClass.ACCOUNT)
    assert step == Step(E.HELD, held_reason="account", stop=StopCause.ACCOUNT)


def test_a_call_that_was_turned_away_stops_the_sender_and_lets_others_go_first() -> None:
    step = decide(SendOutcome.REFUSED, ErrorClass.CONFIGURATION, attempt=3)
    later, cause = NOW + timedelta(seconds=6), StopCause.CONFIGURATION
    assert step == Step(E.HELD, at=later, held_reason="configuration", stop=cause)
    step = decide(SendOutcome.REFUSED, ErrorClass.CONFIGURATION, valid_hours=0.0001)
    assert step == Step(E.HELD, held_reason="configuration", stop=cause)


def test_a_provider_that_wants_fewer_calls_gets_none_for_as_long_as_it_asks() -> None:
    step = decide(SendOutcome.REFUSED, ErrorClass.TOO_MANY_CALLS, rest_seconds=7)
    assert step == Step(E.NOT_TAKEN, stop=StopCause.TOO_MANY_CALLS, rest_seconds=7)


@pytest.mark.parametrize(
    ("cause", "asked", "rests"),
    [
        (StopCause.ACCOUNT, None, [60, 60, 60]),
        (StopCause.CONFIGURATION, None, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]),
        (StopCause.UNREACHABLE, None, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]),
        (StopCause.UNCLEAR, None, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600]),
        (StopCause.TOO_MANY_CALLS, None, [4, 8, 16]),
        (StopCause.TOO_MANY_CALLS, 30, [30, 30, 30]),
        (StopCause.TOO_MANY_CALLS, 0, [1, 1]),
        (StopCause.TOO_MANY_CALLS, 1e9, [3600]),
    ],
)
def test_a_sender_that_stopped_tries_ever_more_rarely(
    cause: StopCause, asked: float | None, rests: list[float]
) -> None:
    found = [compute_rest(cause, n, asked).total_seconds() for n in range(1, len(rests) + 1)]
    assert found == rests


def test_a_daily_limit_holds_until_londons_midnight() -> None:
    step = decide(SendOutcome.REFUSED, ErrorClass.DAILY_LIMIT)
    midnight = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)  # British summer time
    assert step == Step(E.HELD, at=midnight, held_reason="daily-limit")


def test_a_daily_limit_fails_what_is_of_no_use_tomorrow() -> None:
    assert decide(SendOutcome.REFUSED, ErrorClass.DAILY_LIMIT, valid_hours=11) == Step(E.REFUSED)


def test_a_blacklisted_number_opts_out() -> None:
    assert decide(SendOutcome.REFUSED, ErrorClass.REFUSED_NUMBER) == Step(E.REFUSED, opts_out=True)


def test_what_nobody_called_for_keeps_its_place_while_it_is_of_use() -> None:
    assert decide(SendOutcome.NOT_TAKEN) == Step(E.NOT_TAKEN)
    assert decide(SendOutcome.NOT_TAKEN, valid_hours=0) == Step(E.OVERDUE)


def test_a_code_of_one_number_among_many_has_each_tried_alone_at_once() -> None:
    assert decide(SendOutcome.REFUSED, ErrorClass.SOME_NUMBER) == Step(E.NOT_TAKEN, at=NOW)


def test_a_permanent_error_fails_at_once() -> None:
    assert decide(SendOutcome.REFUSED, ErrorClass.PERMANENT) == Step(E.REFUSED)


@pytest.mark.parametrize("outcome", [SendOutcome.NOT_TAKEN, SendOutcome.REFUSED])
def test_a_passing_error_is_tried_again_with_a_pause(outcome: SendOutcome) -> None:
    step = decide(outcome, ErrorClass.PASSING, attempt=3)
    # What did not leave at all finds nobody to answer, whichever text it is.
    stop = StopCause.UNREACHABLE if outcome is SendOutcome.NOT_TAKEN else None
    assert step == Step(E.NOT_TAKEN, at=NOW + timedelta(seconds=6), stop=stop)


def test_a_text_for_which_no_call_was_made_keeps_its_place() -> None:
    assert decide(SendOutcome.NOT_TAKEN, attempt=5) == Step(E.NOT_TAKEN)
    assert decide(SendOutcome.NOT_TAKEN, valid_hours=0) == Step(E.OVERDUE)


def test_a_passing_error_ends_with_the_validity() -> None:
    step = decide(SendOutcome.NOT_TAKEN, ErrorClass.PASSING, valid_hours=0.0001)
    assert step == Step(E.OVERDUE, stop=StopCause.UNREACHABLE)


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
