"""Decides what the sender does after a call, from its outcome and class of error."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.outbound.send_outcomes import ErrorClass, SendOutcome, StopCause
from app.domain.outbound.transitions import OutboundEvent

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0

# After an account error, one text or a credit check is tried after this time.
ACCOUNT_REST = timedelta(seconds=60)
LONGEST_LOOK_REST_SECONDS = 60.0
LONGEST_TRIAL_REST_SECONDS = 600.0
# The longest pause that a provider can ask for.
LONGEST_ASKED_SECONDS = 3600.0

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to the text, and what else follows.

    `at` is when it is tried again; None keeps its place in the queue. `held_reason` says what it
    waits for. `stop` is why all sending stops now, `rest_seconds` the pause that the provider asked
    for. `opts_out` adds the number to the opt-outs.
    """

    event: OutboundEvent
    at: datetime | None = None
    held_reason: str | None = None
    stop: StopCause | None = None
    rest_seconds: float | None = None
    opts_out: bool = False


_STOPS: dict[ErrorClass | None, Step] = {
    ErrorClass.ACCOUNT: Step(OutboundEvent.HELD, held_reason="account", stop=StopCause.ACCOUNT),
    ErrorClass.CONFIGURATION: Step(
        OutboundEvent.HELD, held_reason="configuration", stop=StopCause.CONFIGURATION
    ),
    ErrorClass.TOO_MANY_CALLS: Step(OutboundEvent.NOT_TAKEN, stop=StopCause.TOO_MANY_CALLS),
}

_REFUSALS: dict[ErrorClass | None, Step] = {
    ErrorClass.PERMANENT: Step(OutboundEvent.REFUSED),
    ErrorClass.REFUSED_NUMBER: Step(OutboundEvent.REFUSED, opts_out=True),
}


def decide_step(
    outcome: SendOutcome,
    error_class: ErrorClass | None,
    *,
    attempt: int,
    now: datetime,
    valid_until: datetime,
    zone: ZoneInfo,
    draw: float,
    rest_seconds: float | None = None,
) -> Step:
    """What follows from one call.

    `attempt` counts from 1, `valid_until` is when the text expires. `zone` is the provider's, whose
    midnight ends a daily limit; `draw` is random in [0, 1).
    """
    if outcome is SendOutcome.TAKEN:
        return Step(OutboundEvent.TAKEN)
    if outcome is SendOutcome.UNKNOWN:
        # If the provider keeps answering badly, one text becomes uncertain and not the queue.
        unclear = error_class is ErrorClass.AMBIGUOUS
        return Step(OutboundEvent.UNCLEAR, stop=StopCause.UNCLEAR if unclear else None)
    again = now + compute_pause(attempt, draw)
    if error_class in _STOPS:
        # If it was rejected for its content, the texts after it go first.
        is_later = error_class is ErrorClass.CONFIGURATION and again < valid_until
        return replace(
            _STOPS[error_class], at=again if is_later else None, rest_seconds=rest_seconds
        )
    if error_class is None and now < valid_until:
        # No call was made for it, so it keeps its place.
        return Step(OutboundEvent.NOT_TAKEN)
    if error_class is ErrorClass.DAILY_LIMIT:
        tomorrow = find_next_day(now, zone)
        if tomorrow >= valid_until:
            return Step(OutboundEvent.REFUSED)
        return Step(OutboundEvent.HELD, at=tomorrow, held_reason="daily-limit")
    if error_class in _REFUSALS:
        return _REFUSALS[error_class]
    if error_class is ErrorClass.SOME_NUMBER:
        return Step(OutboundEvent.NOT_TAKEN, at=now)
    # What did not leave, or was refused for a passing reason, is tried until it expires.
    is_away = outcome is SendOutcome.NOT_TAKEN and error_class is ErrorClass.PASSING
    stop = StopCause.UNREACHABLE if is_away else None
    if again >= valid_until:
        return Step(OutboundEvent.OVERDUE, stop=stop)
    return Step(OutboundEvent.NOT_TAKEN, at=again, stop=stop)


def compute_pause(attempt: int, draw: float) -> timedelta:
    """The pause after this many attempts: doubled from 2 s up to 5 minutes, half of it random."""
    doublings = min(attempt - 1, 16)
    longest = min(FIRST_PAUSE_SECONDS * 2**doublings, LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=longest * (0.5 + draw / 2))


def compute_rest(cause: StopCause, failures: int, asked_seconds: float | None = None) -> timedelta:
    """How long a stopped sender waits before its next try.

    `failures` counts consecutive tries with the same result, including this one; `asked_seconds` is
    how long the provider wants no calls.
    """
    if cause is StopCause.ACCOUNT:
        return ACCOUNT_REST
    doubled = float(2 ** min(failures - 1, 16))
    if cause is StopCause.TOO_MANY_CALLS:
        asked = 4 * doubled if asked_seconds is None else asked_seconds
        return timedelta(seconds=min(max(asked, 1), LONGEST_ASKED_SECONDS))
    if failures <= 1:
        return timedelta()
    # Each try after an unclear call risks a text; a credit check costs nothing.
    is_costly = cause is StopCause.UNCLEAR
    longest = LONGEST_TRIAL_REST_SECONDS if is_costly else LONGEST_LOOK_REST_SECONDS
    return timedelta(seconds=min(doubled / 2, longest))


def find_longest_rest(cause: str | None) -> timedelta:
    """The longest pause for this cause."""
    if cause == StopCause.ACCOUNT:
        return ACCOUNT_REST
    is_asked = cause == StopCause.TOO_MANY_CALLS
    return timedelta(seconds=LONGEST_ASKED_SECONDS if is_asked else LONGEST_TRIAL_REST_SECONDS)


def find_next_day(now: datetime, zone: ZoneInfo) -> datetime:
    """When the next day begins in that zone, as a UTC time."""
    tomorrow = now.astimezone(zone).date() + _DAY
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)
