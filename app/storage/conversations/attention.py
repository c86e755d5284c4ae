"""Texts of ours that somebody should look at, because they failed or may not have gone out.

A held text needs attention until it goes on, an uncertain one until it is resolved. A failed one
needs it until its conversation is marked as done, a person writes there again, or KEPT has passed;
one to a list or group, which has no conversation, until somebody marks it as dealt with.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    literal_column,
    select,
    text,
    update,
)

from app.domain.outbound.states import OutboundStatus
from app.storage.tables.conversations import conversations
from app.storage.tables.outbound import NEEDS_ATTENTION, has_status, outbound

KEPT = timedelta(days=14)
FAILED = (OutboundStatus.FAILED, OutboundStatus.UNDELIVERED, OutboundStatus.EXPIRED)
# Lists and counts look at the newest so many: a service that nobody tends may have any number.
MOST_TEXTS = 5_000

# In the words of the partial indexes.
_NEEDS_ATTENTION = text(NEEDS_ATTENTION)
# For a RETURNING of conversations: whether one has such a text.
HAS_ATTENTION: ColumnElement[bool] = literal_column(
    "EXISTS (SELECT 1 FROM outbound"  # noqa: S608 written in the code
    f" WHERE outbound.conversation_id = conversations.id AND {NEEDS_ATTENTION})"
)


def find_attention(conn: Connection, ids: Collection[int]) -> Mapping[int, Sequence[str]]:
    """The statuses of the texts that need attention, by conversation."""
    table = outbound.c
    query = (
        select(table.conversation_id, table.status)
        .where(table.conversation_id.in_(ids), _NEEDS_ATTENTION)
        .distinct()
        .order_by(table.conversation_id, table.status)
    )
    found: dict[int, list[str]] = {}
    for conversation_id, status in conn.execute(query) if ids else ():
        found.setdefault(conversation_id, []).append(status)
    return found


def select_conversations() -> Select[tuple[int | None]]:
    """The ids of conversations with the newest MOST_TEXTS such texts; an id may come often."""
    query = select(outbound.c.conversation_id).where(_NEEDS_ATTENTION)
    return query.order_by(outbound.c.id.desc()).limit(MOST_TEXTS)


def has_attention() -> ColumnElement[bool]:
    """For a query of conversations: whether one has such a text."""
    mine = outbound.c.conversation_id == conversations.c.id
    return exists().where(mine, _NEEDS_ATTENTION)


def count_failed(conn: Connection) -> dict[str, int]:
    """How many failed texts need attention, by status, among the newest MOST_TEXTS."""
    newest = select(outbound.c.status).where(_NEEDS_ATTENTION)
    rows = newest.order_by(outbound.c.id.desc()).limit(MOST_TEXTS).subquery()
    query = select(rows.c.status, func.count()).group_by(rows.c.status)
    counts: dict[str, int] = dict(conn.execute(query).all())
    return {status: counts.get(status, 0) for status in FAILED}


def end_attention(conn: Connection, conversation_ids: Collection[int], now: datetime) -> None:
    """Somebody has dealt with what failed in these conversations."""
    mine = outbound.c.conversation_id.in_(conversation_ids)
    failed = (mine, _NEEDS_ATTENTION, has_status(outbound, *FAILED))
    conn.execute(update(outbound).where(*failed).values(attended_at=now))


def needs_attention_alone(conn: Connection, outbound_id: int) -> bool:
    """Whether it is a failed text to a list or group: no conversation shows it."""
    query = select(outbound.c.id).where(_failed_alone(outbound_id))
    return conn.execute(query).first() is not None


def end_attention_alone(conn: Connection, outbound_id: int, now: datetime) -> bool:
    """Somebody has dealt with such a text; False where it needs no attention, or none is there."""
    ended = update(outbound).where(_failed_alone(outbound_id)).values(attended_at=now)
    return bool(conn.execute(ended).rowcount)


def _failed_alone(outbound_id: int) -> ColumnElement[bool]:
    table = outbound.c
    alone = table.conversation_id.is_(None)
    return and_(table.id == outbound_id, alone, _NEEDS_ATTENTION, has_status(outbound, *FAILED))


def end_old_attention(conn: Connection, now: datetime, *, limit: int) -> int:
    """End it for texts that failed KEPT ago, `limit` at most; returns how many."""
    old = (
        select(outbound.c.id)
        .where(
            _NEEDS_ATTENTION,
            has_status(outbound, *FAILED),
            outbound.c.settled_at < now - KEPT,
        )
        .order_by(outbound.c.id)
        .limit(limit)
    )
    ended = update(outbound).where(outbound.c.id.in_(old)).values(attended_at=now)
    return conn.execute(ended).rowcount
