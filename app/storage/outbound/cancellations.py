"""Cancels texts by hand: those waiting here, and those scheduled at the provider."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from app.domain.errors import Conflict, NotFound
from app.domain.outbound.states import WAITING, OutboundStatus
from app.domain.outbound.transitions import OutboundEvent, move_on
from app.storage.outbound.history import StatusChange, describe_status, note_changes
from app.storage.outbound.sending.expiry import end_waiting
from app.storage.tables.outbound import outbound, provider_messages

_REASONS = {
    OutboundStatus.SENDING: "the text is being sent at this moment; look again in a minute",
    OutboundStatus.UNCERTAIN: "nobody knows yet whether the text went out: resolve it first",
    OutboundStatus.SENT: "the text is sent already",
}


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A text scheduled at the provider, and the ids of its parts."""

    provider_ids: tuple[str, ...]


def cancel_waiting(conn: Connection, outbound_id: int, who: str, now: datetime) -> Scheduled | bool:
    """Cancel a text that is waiting here. Returns False if it was already cancelled.

    If the provider has the text, returns what it has to cancel. Raises NotFound, and Conflict that
    says why the text can no longer be cancelled.
    """
    row = _lock(conn, outbound_id)
    status = OutboundStatus(row.status)
    if status is OutboundStatus.CANCELLED:
        return False
    if status in WAITING:
        _end(conn, outbound_id, who, now)
        return True
    if status is not OutboundStatus.SENT or not _is_kept(row, now):
        raise Conflict(describe_obstacle(status))
    if row.to_number is None:
        raise Conflict("the provider keeps a text to many: cancel it in NetMessenger")
    table = provider_messages.c
    ids = select(table.provider_id).where(table.outbound_id == outbound_id).order_by(table.id)
    return Scheduled(tuple(conn.execute(ids).scalars()))


def describe_obstacle(status: OutboundStatus) -> str:
    """Why a text in this status can no longer be cancelled or changed."""
    return _REASONS.get(status, f"the text is {status} already")


def cancel_all(conn: Connection, ids: Sequence[int], who: str, now: datetime) -> int:
    """Cancel those texts of a batch that still wait here; returns how many."""
    reason = "the batch was cancelled"
    ended = end_waiting(conn, ids, OutboundEvent.CANCELLED, reason, now)
    note_changes(conn, [replace(each, source=who) for each in ended], now)
    return len(ended)


def note_cancelled(conn: Connection, outbound_id: int, who: str, now: datetime) -> None:
    """The provider has cancelled it, unless its status has become final in the meantime."""
    row = _lock(conn, outbound_id)
    if move_on(OutboundStatus(row.status), OutboundEvent.CANCELLED) is not None:
        _end(conn, outbound_id, who, now)


def _lock(conn: Connection, outbound_id: int) -> Row[Any]:
    query = select(outbound).where(outbound.c.id == outbound_id).with_for_update()
    row = conn.execute(query).first()
    if row is None:
        raise NotFound("no such outbound text")
    return row


def _is_kept(row: Row[Any], now: datetime) -> bool:
    return row.schedule_by == "provider" and row.schedule_at > now and row.settled_at is None


def _end(conn: Connection, outbound_id: int, who: str, now: datetime) -> None:
    conn.execute(
        update(outbound)
        .where(outbound.c.id == outbound_id)
        .values(describe_status(OutboundStatus.CANCELLED, now))
    )
    note_changes(conn, [StatusChange(outbound_id, OutboundStatus.CANCELLED, who, now)], now)
