"""Every status with every event: the table by which a text lives."""

import pytest

from app.domain.outbound.states import FINAL_STATUSES
from app.domain.outbound.states import OutboundStatus as S
from app.domain.outbound.transitions import OutboundEvent as E
from app.domain.outbound.transitions import move_on

# Whatever is not here changes nothing.
MOVES = {
    (S.QUEUED, E.CLAIMED): S.SENDING,
    (S.QUEUED, E.OVERDUE): S.EXPIRED,
    (S.QUEUED, E.CANCELLED): S.CANCELLED,
    (S.QUEUED, E.TAKEN): S.SENT,
    (S.HELD, E.CLAIMED): S.SENDING,
    (S.HELD, E.OVERDUE): S.EXPIRED,
    (S.HELD, E.CANCELLED): S.CANCELLED,
    (S.HELD, E.TAKEN): S.SENT,
    (S.SENDING, E.TAKEN): S.SENT,
    (S.SENDING, E.NOT_TAKEN): S.QUEUED,
    (S.SENDING, E.HELD): S.HELD,
    (S.SENDING, E.REFUSED): S.FAILED,
    (S.SENDING, E.OVERDUE): S.EXPIRED,
    (S.SENDING, E.UNCLEAR): S.UNCERTAIN,
    (S.UNCERTAIN, E.TAKEN): S.SENT,
    (S.UNCERTAIN, E.NOT_TAKEN): S.QUEUED,
    (S.UNCERTAIN, E.HELD): S.HELD,
    (S.UNCERTAIN, E.REFUSED): S.FAILED,
    (S.UNCERTAIN, E.OVERDUE): S.EXPIRED,
    (S.UNCERTAIN, E.ADOPTED): S.SENT,
    (S.UNCERTAIN, E.PROVED_ABSENT): S.QUEUED,
    (S.UNCERTAIN, E.SENT_BY_HAND): S.SENT,
    (S.UNCERTAIN, E.RESENT_BY_HAND): S.QUEUED,
    (S.UNCERTAIN, E.FAILED_BY_HAND): S.FAILED,
    (S.SENT, E.CANCELLED): S.CANCELLED,
    (S.SENT, E.REPORTED_DELIVERED): S.DELIVERED,
    (S.SENT, E.REPORTED_UNDELIVERED): S.UNDELIVERED,
    (S.SENT, E.REPORTED_FAILED): S.FAILED,
    (S.SENT, E.REPORTED_EXPIRED): S.EXPIRED,
}


@pytest.mark.parametrize("event", list(E), ids=lambda event: event.name.lower())
@pytest.mark.parametrize("status", list(S), ids=str)
def test_each_event_moves_each_status_as_the_table_says(status: S, event: E) -> None:
    assert move_on(status, event) == MOVES.get((status, event))


def test_nothing_leaves_a_settled_status() -> None:
    assert not [move for move in MOVES if move[0] in FINAL_STATUSES]


def test_only_a_proof_or_a_person_queues_what_may_have_left() -> None:
    again = {
        event for (status, event), to in MOVES.items() if status is S.UNCERTAIN and to is S.QUEUED
    }
    # NOT_TAKEN is the late but certain answer of the very call.
    assert again == {E.PROVED_ABSENT, E.RESENT_BY_HAND, E.NOT_TAKEN}
