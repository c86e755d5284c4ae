"""What the sender does after a call: decided from the call's fate and class, without any I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.fates import ErrorClass, Fate
from app.domain.transitions import OutboundEvent

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the text, and what else follows.

    `at` is when it is tried again; None leaves its place in the queue as it is. `held_reason` says
    what it waits for. `stops_sender` pauses all sending, `opts_out` puts the number on the list of
    opt-outs.
    """

    event: OutboundEvent
    at: datetime | None = None
    held_reason: str | None = None
    stops_sender: bool = False
    opts_out: bool = False


def decide_step(
    fate: Fate,
    error_class: ErrorClass | None,
    *,
    attempt: int,
    now: datetime,
    valid_until: datetime,
    zone: ZoneInfo,
    draw: float,
) -> Step:
    """What follows from one call.

    `attempt` counts from 1, `valid_until` is when the text is of no use any more, `zone` the
    provider's, whose midnight ends a daily limit; `draw` is random in [0, 1).
    """
    if fate is Fate.TAKEN:
        return Step(OutboundEvent.TAKEN)
    if fate is Fate.UNKNOWN:
        return Step(OutboundEvent.UNCLEAR)
    if error_class is ErrorClass.ACCOUNT:
        return Step(OutboundEvent.HELD, held_reason="account", stops_sender=True)
    if error_class is ErrorClass.DAILY_LIMIT:
        tomorrow = find_next_day(now, zone)
        if tomorrow >= valid_until:
            return Step(OutboundEvent.REFUSED)
        return Step(OutboundEvent.HELD, at=tomorrow, held_reason="daily-limit")
    if error_class is ErrorClass.REFUSED_NUMBER:
        return Step(OutboundEvent.REFUSED, opts_out=True)
    if error_class is ErrorClass.PERMANENT:
        return Step(OutboundEvent.REFUSED)
    if error_class is ErrorClass.SOME_NUMBER:
        return Step(OutboundEvent.NOT_TAKEN, at=now)
    if fate is Fate.NOT_TAKEN and error_class is None:
        # Nobody was called: it keeps its place.
        return Step(OutboundEvent.OVERDUE if now >= valid_until else OutboundEvent.NOT_TAKEN)
    # What did not leave, or was turned away for a passing reason, may be tried for as long as it
    # is of use.
    again = now + compute_pause(attempt, draw)
    if again >= valid_until:
        return Step(OutboundEvent.OVERDUE)
    return Step(OutboundEvent.NOT_TAKEN, at=again)


def compute_pause(attempt: int, draw: float) -> timedelta:
    """The pause after so many tries: doubling from 2 s to 5 minutes, half of it by chance."""
    doublings = min(attempt - 1, 16)
    longest = min(FIRST_PAUSE_SECONDS * 2**doublings, LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=longest * (0.5 + draw / 2))


def find_next_day(now: datetime, zone: ZoneInfo) -> datetime:
    """When the next day begins in that zone, as a UTC time."""
    tomorrow = now.astimezone(zone).date() + _DAY
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)
