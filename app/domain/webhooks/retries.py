"""What an answer of an endpoint means, and when a delivery is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# The waits after the first attempt, the second, and so on.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(WAITS) + 1
# Spread, so that what failed together does not come back together.
JITTER = 0.1
# An endpoint that has failed for this long, without a success between, is disabled.
FAILING_FOR = timedelta(days=5)
# What an endpoint may ask for with Retry-After.
LONGEST_PAUSE = timedelta(days=1)

_GONE = 410
_ASKS_TO_WAIT = frozenset({429, 503})


class Verdict(StrEnum):
    """What one attempt came to."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class EndpointAnswer:
    """What an endpoint answered. `status` is None where it did not; `error` then says why.

    `body` is the beginning of the answer's, `seconds` how long it took.
    """

    status: int | None
    body: str
    error: str
    seconds: float
    retry_after_seconds: float | None = None

    @property
    def verdict(self) -> Verdict:
        if self.status is not None and 200 <= self.status < 300:
            return Verdict.DELIVERED
        return Verdict.GONE if self.status == _GONE else Verdict.FAILED

    @property
    def pause(self) -> timedelta:
        """How long the endpoint wants to be left alone."""
        if self.status not in _ASKS_TO_WAIT or self.retry_after_seconds is None:
            return timedelta()
        return min(timedelta(seconds=self.retry_after_seconds), LONGEST_PAUSE)


def plan_retry(
    attempts: int, now: datetime, draw: float, pause: timedelta = timedelta()
) -> datetime | None:
    """When to try again after so many attempts; None: there have been enough.

    `draw` is random in [0, 1), `pause` what the endpoint asked for.
    """
    if attempts >= MOST_ATTEMPTS:
        return None
    wait = WAITS[attempts - 1] * (1 - JITTER + 2 * JITTER * draw)
    return now + max(wait, pause)
