"""A text that goes out: the states it passes through, and which of them are its end."""

from enum import IntEnum, StrEnum
from typing import Literal

# Provider's page, Send: ValidityPeriod.
LONGEST_VALIDITY_SECONDS = 86400

# Who wrote it: a person or program, a rule, or the confirmation of an opt-out.
Origin = Literal["person", "rule", "opt-out"]


class Priority(IntEnum):
    """What is sent first: somebody waits for a reply, and nobody for the last of many texts."""

    ANSWER = 0
    """A rule's or an opt-out's."""
    SINGLE = 1
    MASS = 2
    """One of the texts of a request to many numbers."""


class OutboundStatus(StrEnum):
    """What became of a text, as far as is known."""

    QUEUED = "queued"
    """Waits for its turn, its schedule or its next try."""
    HELD = "held"
    """Waits for the account or for the next day; `held_reason` says which."""
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    """The call's outcome is unknown: it is settled by the provider's report or by a person."""
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


# What may go out when its turn comes.
WAITING = (OutboundStatus.QUEUED, OutboundStatus.HELD)
# What may be on its way without anybody knowing.
IN_FLIGHT = (OutboundStatus.SENDING, OutboundStatus.UNCERTAIN)
FINAL_STATUSES = frozenset(
    {
        OutboundStatus.DELIVERED,
        OutboundStatus.UNDELIVERED,
        OutboundStatus.FAILED,
        OutboundStatus.EXPIRED,
        OutboundStatus.CANCELLED,
    }
)
