"""The provider's statuses: which are known, which are final, and what they mean for a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.outbound.states import OutboundStatus
from app.domain.outbound.transitions import OutboundEvent


class KnownStatus(StrEnum):
    """The statuses seen in the provider's help pages and clients."""

    PENDING = "Pending"
    SENT = "Sent"
    DELIVERED = "Delivered"
    FAILED = "Failed"
    UNKNOWN = "Unknown"
    EXPIRED = "Expired"
    COMMAND_REJECTED = "Command_Rejected"
    COMMAND_FAILED = "Command_Failed"
    UNDELIVERABLE = "Undeliverable"


def _fold_word(word: str) -> str:
    """Letters alone, so that `Command Rejected` and `command_rejected` are the same."""
    return "".join(filter(str.isalpha, word.casefold()))


_BY_LETTERS = {_fold_word(status): status for status in KnownStatus}


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One status as the provider wrote it.

    `word` is kept as it came. `known` is None for one never seen before, which is not final.
    """

    word: str
    known: KnownStatus | None

    @property
    def is_final(self) -> bool:
        return self.known in _FINAL


def read_status(word: str) -> ProviderStatus:
    """Recognise a status by its letters, because the provider's own clients differ in case."""
    return ProviderStatus(word, _BY_LETTERS.get(_fold_word(word)))


# What the provider's final statuses mean.
_FINAL = {
    KnownStatus.DELIVERED: OutboundStatus.DELIVERED,
    KnownStatus.UNDELIVERABLE: OutboundStatus.UNDELIVERED,
    KnownStatus.EXPIRED: OutboundStatus.EXPIRED,
    KnownStatus.FAILED: OutboundStatus.FAILED,
    KnownStatus.COMMAND_REJECTED: OutboundStatus.FAILED,
    KnownStatus.COMMAND_FAILED: OutboundStatus.FAILED,
}
_EVENTS = {
    OutboundStatus.DELIVERED: OutboundEvent.REPORTED_DELIVERED,
    OutboundStatus.UNDELIVERED: OutboundEvent.REPORTED_UNDELIVERED,
    OutboundStatus.EXPIRED: OutboundEvent.REPORTED_EXPIRED,
    OutboundStatus.FAILED: OutboundEvent.REPORTED_FAILED,
    OutboundStatus.SENT: OutboundEvent.REPORTED_SENT,
}
# If the parts of a text ended differently, the worst one decides.
_WORST_FIRST = (
    OutboundStatus.FAILED,
    OutboundStatus.UNDELIVERED,
    OutboundStatus.EXPIRED,
    OutboundStatus.DELIVERED,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the statuses of all parts mean together; `word` is the one that decides, as it came."""

    event: OutboundEvent
    word: str | None


def read_outcome(word: str | None) -> OutboundStatus:
    """What the provider's status of one message means; `sent` if it is not final."""
    known = None if word is None else read_status(word).known
    return OutboundStatus.SENT if known is None else _FINAL.get(known, OutboundStatus.SENT)


def judge_parts(words: Sequence[str | None]) -> Verdict:
    """A text is settled when all its parts are; `words` has None for a part without a status."""
    outcomes = [read_outcome(word) for word in words]
    if OutboundStatus.SENT in outcomes:
        waiting = [w for w, o in zip(words, outcomes, strict=True) if o is OutboundStatus.SENT]
        return Verdict(OutboundEvent.REPORTED_SENT, next(filter(None, waiting), None))
    worst = min(outcomes, key=_WORST_FIRST.index)
    return Verdict(_EVENTS[worst], words[outcomes.index(worst)])


def judge_recipients(words: Sequence[str | None]) -> Verdict | None:
    """The same for a list or group; None if its recipients ended differently."""
    verdict = judge_parts(words)
    if verdict.event is OutboundEvent.REPORTED_SENT or len(set(map(read_outcome, words))) == 1:
        return verdict
    return None
