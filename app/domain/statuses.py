"""The provider's status words: which are known, and which are its last word on a message."""

from dataclasses import dataclass
from enum import StrEnum


class KnownStatus(StrEnum):
    """The words seen in the provider's help pages and clients."""

    PENDING = "Pending"
    SENT = "Sent"
    DELIVERED = "Delivered"
    FAILED = "Failed"
    UNKNOWN = "Unknown"
    EXPIRED = "Expired"
    COMMAND_REJECTED = "Command_Rejected"
    COMMAND_FAILED = "Command_Failed"
    UNDELIVERABLE = "Undeliverable"


FINAL_STATUSES = frozenset(
    {
        KnownStatus.DELIVERED,
        KnownStatus.FAILED,
        KnownStatus.EXPIRED,
        KnownStatus.COMMAND_REJECTED,
        KnownStatus.COMMAND_FAILED,
        KnownStatus.UNDELIVERABLE,
    }
)

_BY_LOWER_CASE = {status.lower(): status for status in KnownStatus}


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """One status as the provider wrote it.

    `word` is kept verbatim, so that a word never seen before is shown and counted as it came;
    `known` is None for such a word, and nothing is final about it.
    """

    word: str
    known: KnownStatus | None

    @property
    def is_final(self) -> bool:
        return self.known in FINAL_STATUSES


def read_status(word: str) -> ProviderStatus:
    """Recognise a word without case, as the provider's own clients differ in it."""
    return ProviderStatus(word, _BY_LOWER_CASE.get(word.strip().lower()))
