"""Which event moves an outgoing text from which status to which.

Every change of a status asks `move_on`, so that a settled text never goes back, and a text that may
have been sent is never queued again without proof or a person's decision.
"""

from enum import StrEnum

from app.domain.outbound.states import OutboundStatus as S


class OutboundEvent(StrEnum):
    """What can happen to a text."""

    CLAIMED = "claimed for a call"
    TAKEN = "taken by the provider"
    NOT_TAKEN = "certainly not taken, to be tried again"
    HELD = "held for the account or the next day"
    REFUSED = "refused for good"
    UNCLEAR = "unknown whether it was taken"
    OVERDUE = "its time was over before it went out"
    CANCELLED = "cancelled"
    ADOPTED = "found in the provider's report"
    PROVED_ABSENT = "twice proved absent from the provider's report"
    SENT_BY_HAND = "sent, as a person says"
    RESENT_BY_HAND = "to be sent again, as a person says"
    FAILED_BY_HAND = "not sent, as a person says"
    REPORTED_SENT = "in progress, as the provider says"
    REPORTED_DELIVERED = "delivered, as the provider says"
    REPORTED_UNDELIVERED = "undeliverable, as the provider says"
    REPORTED_FAILED = "failed, as the provider says"
    REPORTED_EXPIRED = "expired at the provider"


E = OutboundEvent

_WAITING = {
    E.CLAIMED: S.SENDING,
    E.OVERDUE: S.EXPIRED,
    E.CANCELLED: S.CANCELLED,
    # A late answer to a call that was given up: the text must not be sent twice.
    E.TAKEN: S.SENT,
}
_ANSWERED = {
    E.TAKEN: S.SENT,
    E.NOT_TAKEN: S.QUEUED,
    E.HELD: S.HELD,
    E.REFUSED: S.FAILED,
    E.OVERDUE: S.EXPIRED,
}
_MOVES: dict[S, dict[OutboundEvent, S]] = {
    S.QUEUED: _WAITING,
    S.HELD: _WAITING,
    S.SENDING: {**_ANSWERED, E.UNCLEAR: S.UNCERTAIN},
    S.UNCERTAIN: {
        **_ANSWERED,
        E.ADOPTED: S.SENT,
        E.PROVED_ABSENT: S.QUEUED,
        E.SENT_BY_HAND: S.SENT,
        E.RESENT_BY_HAND: S.QUEUED,
        E.FAILED_BY_HAND: S.FAILED,
    },
    S.SENT: {
        E.CANCELLED: S.CANCELLED,
        E.REPORTED_DELIVERED: S.DELIVERED,
        E.REPORTED_UNDELIVERED: S.UNDELIVERED,
        E.REPORTED_FAILED: S.FAILED,
        E.REPORTED_EXPIRED: S.EXPIRED,
    },
}


def move_on(status: S, event: OutboundEvent) -> S | None:
    """The status after the event; None where the event changes nothing in this status."""
    return _MOVES.get(status, {}).get(event)
