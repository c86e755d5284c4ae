"""Ends leases that nobody has given back, and texts that are too late to send."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.states import OutboundStatus
from app.domain.outbound.transitions import OutboundEvent, move_on
from app.domain.rules.answering import Outcome
from app.storage.db.clock import read_clock
from app.storage.outbound.history import StatusChange, describe_status, note_changes
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import has_status, is_waiting, outbound, send_attempts

_LEASE_ENDED = "nobody told what came of the call before its lease ended"


def end_leases(conn: Connection, now: datetime | None = None, *, limit: int = 100) -> int:
    """Make texts uncertain whose sender has disappeared; returns how many."""
    now = now or read_clock(conn)
    query = (
        select(outbound.c.id, outbound.c.attempts)
        .where(has_status(outbound, OutboundStatus.SENDING), outbound.c.lease_until <= now)
        .order_by(outbound.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = conn.execute(query).all()
    for row in rows:
        conn.execute(
            update(outbound)
            .where(outbound.c.id == row.id)
            .values(describe_status(OutboundStatus.UNCERTAIN, now) | {"error_text": _LEASE_ENDED})
        )
        conn.execute(
            update(send_attempts)
            .where(send_attempts.c.outbound_id == row.id, send_attempts.c.attempt == row.attempts)
            .values(ended_at=now, outcome=SendOutcome.UNKNOWN, answer=_LEASE_ENDED)
        )
    changes = [StatusChange(row.id, OutboundStatus.UNCERTAIN, "lease", now) for row in rows]
    note_changes(conn, changes, now)
    return len(changes)


def expire_overdue(conn: Connection, now: datetime, *, limit: int = 100) -> int:
    """End texts that did not go out in time, even while sending is paused; returns how many."""
    query = (
        select(outbound.c.id)
        .where(
            outbound.c.send_before.is_not(None),
            outbound.c.send_before <= now,
            is_waiting(outbound),
        )
        .order_by(outbound.c.send_before)
        .limit(limit)
    )
    ids = conn.execute(query).scalars().all()
    changes = end_waiting(conn, ids, OutboundEvent.OVERDUE, "it could not go out in time", now)
    note_changes(conn, changes, now)
    return len(changes)


def end_waiting(
    conn: Connection, ids: Sequence[int], event: OutboundEvent, reason: str, now: datetime
) -> list[StatusChange]:
    """End texts that still wait; returns the changes, for the caller to note."""
    status = move_on(OutboundStatus.QUEUED, event)
    if not ids or status is None:
        return []
    ended = (
        update(outbound)
        .where(outbound.c.id.in_(ids), is_waiting(outbound))
        .values(status=status, held_reason=None, settled_at=now, settled_reason=reason)
        .returning(outbound.c.id)
    )
    found = conn.execute(ended).scalars().all()
    if status is OutboundStatus.EXPIRED:
        note_unanswered(conn, found)
    return [StatusChange(each, status, "send", now) for each in sorted(found)]


def note_unanswered(conn: Connection, expired_ids: Sequence[int]) -> None:
    """Messages whose automatic reply expired have not been answered."""
    answers = select(outbound.c.in_reply_to).where(
        outbound.c.id.in_(expired_ids), outbound.c.origin == "rule"
    )
    conn.execute(
        update(messages)
        .where(messages.c.id.in_(answers), messages.c.outcome == Outcome.REPLIED)
        .values(outcome=Outcome.EXPIRED)
    )
