"""The pace of all processes, which claims use up and a call to many numbers overdraws."""

from dataclasses import replace
from datetime import datetime, timedelta

from app.storage.outbound.sending.sender import LEEWAY_SECONDS, SenderState

# This much of the pace may be used at once, so that a claim can take several texts.
BURST_SECONDS = 0.1

# A call to many numbers uses up the pace afterwards; this is the longest that others wait for it.
LONGEST_DEBT_SECONDS = 10.0


def count_most(per_second: float, batch: int) -> int:
    """How many numbers one call may have: `batch`, or as many as LONGEST_DEBT_SECONDS allow."""
    return max(1, min(batch, int(per_second * LONGEST_DEBT_SECONDS)))


def count_tokens(state: SenderState, per_second: float, now: datetime) -> int:
    """How many messages the pace allows now, at most those of a tenth of a second."""
    interval = 1 / per_second
    slack = max(0.0, BURST_SECONDS - interval)
    used = _count_used(state, per_second, now)
    return 0 if used > slack else int((slack - used) / interval + 1e-9) + 1


def compute_wait(state: SenderState, per_second: float, now: datetime) -> float:
    """Seconds until the pace allows another message."""
    slack = max(0.0, BURST_SECONDS - 1 / per_second)
    return max(0.0, _count_used(state, per_second, now) - slack)


def _count_used(state: SenderState, per_second: float, now: datetime) -> float:
    """Seconds of the pace that are used up; 0 if the clock has gone back."""
    used = 0.0 if state.pace_at is None else (state.pace_at - now).total_seconds()
    longest = BURST_SECONDS + max(LONGEST_DEBT_SECONDS, 1 / per_second) + LEEWAY_SECONDS
    return max(0.0, used) if used <= longest else 0.0


def spend_tokens(state: SenderState, count: int, per_second: float, now: datetime) -> SenderState:
    """The state once so many messages have used up the pace; the caller stores its `pace_at`."""
    used = _count_used(state, per_second, now) + count / per_second
    return replace(state, pace_at=now + timedelta(seconds=used))
