"""Decides from a report whether an uncertain text was sent.

Sending it again needs proof, because a second copy cannot be called back. Where there is no proof,
a person decides.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

# The provider's clock may differ from ours.
LEEWAY = timedelta(minutes=10)
# A person is asked if there is no proof after this, or after three times the proof's own time.
PATIENCE = timedelta(minutes=30)


class Finding(Enum):
    """What a report says of one uncertain text."""

    ADOPT = "exactly one message of the report is this text"
    SUSPECT = "it is absent: look again after `proof_seconds`"
    SEND_AGAIN = "it is proved absent"
    DOUBT = "the report has a message that it may be"
    WAIT = "the report does not reach that far yet"


@dataclass(frozen=True, slots=True)
class UncertainText:
    """`began_at` and `ended_at` are those of the call whose outcome is unknown.

    `is_scheduled`: the provider keeps its schedule, and may not list it before. If
    `has_unclear_sibling`, another text of the same numbers and time has no id either; it may be one
    to a list or group that includes this number.
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
        """Look at a row. One to this number with an unknown id means that it may not be absent."""
        if row.to != self.text.to or row.is_known:
            return
        self.strangers += 1
        if not row.message_id:
            return
        is_in_time = row.at is None or row.at >= self.text.began_at - LEEWAY
        if row.source == self.text.source and is_in_time and len(self.fitting) <= self.text.parts:
            self.fitting.append(row.message_id)

    def judge(
        self, *, latest_listed: datetime | None, now: datetime, proof_seconds: int
    ) -> Finding:
        """To be called once the whole report is read.

        `latest_listed` is when the newest of our texts began that the report lists as expected. It
        must be absent twice, `proof_seconds` apart; 0 means that no absence is proof.
        """
        if self._is_one_message():
            return Finding.DOUBT if self.text.has_unclear_sibling else Finding.ADOPT
        if self.strangers:
            return Finding.DOUBT
        is_reached = latest_listed is not None and latest_listed > self.text.ended_at
        if not is_reached or self.text.is_scheduled or proof_seconds == 0:
            return Finding.WAIT
        since = self.text.absent_since
        if since is not None and now >= since + timedelta(seconds=proof_seconds):
            return Finding.SEND_AGAIN
        return Finding.SUSPECT

    def _is_one_message(self) -> bool:
        """One row, or a row for each part of a long text, with consecutive ids."""
        if len(self.fitting) == 1:
            return True
        if len(self.fitting) != self.text.parts or not all(map(str.isdigit, self.fitting)):
            return False
        numbers = sorted(map(int, self.fitting))
        return numbers == list(range(numbers[0], numbers[0] + self.text.parts))


def find_persons_turn(text: UncertainText, proof_seconds: int) -> datetime:
    """From when on a person is asked, because there is no proof."""
    if proof_seconds == 0:
        return text.ended_at
    return text.ended_at + max(PATIENCE, timedelta(seconds=3 * proof_seconds))
