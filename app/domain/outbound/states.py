"""The statuses of an outgoing text, and what is sent first."""

from enum import IntEnum, StrEnum
from typing import Literal

# Provider's page, Send: ValidityPeriod.
LONGEST_VALIDITY_SECONDS = 86400

# What made it: a person or program, a rule, or the confirmation of an opt-out.
Origin = Literal["person", "rule", "opt-out"]


class Priority(IntEnum):
    """What is sent first: replies, because somebody waits for them."""

    ANSWER = 0
    """An automatic reply."""
    SINGLE = 1
    MASS = 2
    """One of the texts of a request to many numbers."""


class OutboundStatus(StrEnum):
    """What became of a text, as far as is known."""

    QUEUED = "queued"
    """Waits for its turn, its schedule or its next try."""
    HELD = "held"
    """Waits for the account or the next day, as `held_reason` says."""
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    """The call's outcome is unknown: the provider's report or a person resolves it."""
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


WAITING = (OutboundStatus.QUEUED, OutboundStatus.HELD)
# What may be on its way without our knowing.
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
