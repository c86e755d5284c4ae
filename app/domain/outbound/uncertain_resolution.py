"""Settles texts of which nobody knows whether they were sent, from what the report lists.

Sending again needs a proof, for a text that goes out twice cannot be called back; a text that no
proof settles waits for a person.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

# The provider's clock and ours may differ, and a report's times are those of another machine.
LEEWAY = timedelta(minutes=10)
# So long a text may wait for a proof before a person is asked; with many proofs' time at least.
PATIENCE = timedelta(minutes=30)


class Decision(Enum):
    """What follows from a report for one uncertain text."""

    ADOPT = "exactly one message of the report is this text"
    SUSPECT = "it is absent: look again after the time of proof"
    SEND_AGAIN = "it is proved absent"
    DOUBT = "the report has a message that it may be"
    WAIT = "the report does not reach so far yet"


@dataclass(frozen=True, slots=True)
class UncertainText:
    """`began_at` and `ended_at` are those of the call whose outcome is unknown.

    `is_scheduled`: the provider was to keep its schedule, and may list it only then.
    `has_unclear_sibling`: another text of the same numbers and time has no id either, be it one to
    a list or group that this number may be in.
    """

    id: int
    attempt: int
    to: str
    source: str
    parts: int
    began_at: datetime
    ended_at: datetime
    absent_since: datetime | None
    is_scheduled: bool
    has_unclear_sibling: bool


@dataclass(frozen=True, slots=True)
class ReportedMessage:
    """A row of the Messages report; `at` is when it was, or is to be, sent, where it says so."""

    message_id: str
    to: str
    source: str | None
    at: datetime | None
    is_known: bool


@dataclass(slots=True)
class Sightings:
    """What a report, read row by row, has of one uncertain text."""

    text: UncertainText
    fitting: list[str] = field(default_factory=list)
    strangers: int = 0

    def add(self, row: ReportedMessage) -> None:
        """Look at a row. One to this number whose id nobody knows speaks against an absence."""
        if row.to != self.text.to or row.is_known:
            return
        self.strangers += 1
        if not row.message_id:
            return
        is_in_time = row.at is None or row.at >= self.text.began_at - LEEWAY
        if row.source == self.text.source and is_in_time and len(self.fitting) <= self.text.parts:
            self.fitting.append(row.message_id)

    def decide(
        self, *, latest_listed: datetime | None, now: datetime, proof_seconds: int
    ) -> Decision:
        """What follows, once the whole report is read.

        `latest_listed` is when the newest text of ours began that the report lists as our matching
        expects it. Two absences lie `proof_seconds` apart, 0 for none that would do.
        """
        if self._is_one_message():
            return Decision.DOUBT if self.text.has_unclear_sibling else Decision.ADOPT
        if self.strangers:
            return Decision.DOUBT
        is_reached = latest_listed is not None and latest_listed > self.text.ended_at
        if not is_reached or self.text.is_scheduled or proof_seconds == 0:
            return Decision.WAIT
        since = self.text.absent_since
        if since is not None and now >= since + timedelta(seconds=proof_seconds):
            return Decision.SEND_AGAIN
        return Decision.SUSPECT

    def _is_one_message(self) -> bool:
        """One row, or a row for each part of a long text with ids one after the other."""
        if len(self.fitting) == 1:
            return True
        if len(self.fitting) != self.text.parts or not all(map(str.isdigit, self.fitting)):
            return False
        numbers = sorted(map(int, self.fitting))
        return numbers == list(range(numbers[0], numbers[0] + self.text.parts))


def find_persons_turn(text: UncertainText, proof_seconds: int) -> datetime:
    """When it has waited long enough for a proof: from then on a person is asked."""
    if proof_seconds == 0:
        return text.ended_at
    return text.ended_at + max(PATIENCE, timedelta(seconds=3 * proof_seconds))
