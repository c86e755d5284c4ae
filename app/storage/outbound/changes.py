"""Changes to texts that still wait, and the list of those to be sent later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.domain.errors import NotFound
from app.domain.outbound.states import WAITING, OutboundStatus
from app.domain.places import TimePlace
from app.storage.outbound.history import StatusChange, note_changes
from app.storage.outbound.lists import OutboundPage
from app.storage.outbound.texts import make_texts
from app.storage.tables.outbound import has_status, holds_mostly, outbound


@dataclass(frozen=True, slots=True)
class LockedText:
    """What a change has to know of its text."""

    id: int
    origin: str
    status: str
    body: str
    schedule_at: datetime | None
    schedule_by: str | None
    validity_seconds: int


_LOCKED = [outbound.c[each.name] for each in fields(LockedText)]


def lock_text(conn: Connection, outbound_id: int) -> LockedText:
    """Nobody claims it until the commit. Raises NotFound."""
    query = select(*_LOCKED).where(outbound.c.id == outbound_id).with_for_update()
    row = conn.execute(query).first()
    if row is None:
        raise NotFound("no such outbound text")
    return LockedText(*row)


def change_waiting(
    conn: Connection,
    outbound_id: int,
    values: Mapping[str, Any],
    note: str,
    who: str,
    now: datetime,
) -> None:
    """Give a locked text new values, and its history a line."""
    changed = update(outbound).where(outbound.c.id == outbound_id).values(**values)
    status = conn.execute(changed.returning(outbound.c.status)).scalar_one()
    note_changes(conn, [StatusChange(outbound_id, status, str(who), now, note=note)], now)


def list_scheduled(
    conn: Connection, now: datetime, *, after: TimePlace | None, limit: int
) -> OutboundPage:
    """Single texts to be sent later, here or by the provider, soonest first; `next` is the next
    page's `after`.
    """
    table = outbound.c
    # What it has taken is to come only where it keeps the schedule.
    is_kept = (table.schedule_by == "provider") & table.settled_at.is_(None)
    query = select(outbound).where(
        table.schedule_at.is_not(None),
        table.batch_id.is_(None),
        table.schedule_at > now,
        holds_mostly(has_status(outbound, *WAITING, OutboundStatus.SENT)),
        or_(table.status != OutboundStatus.SENT, is_kept),
    )
    if after is not None:
        time, number = after
        query = query.where(
            table.schedule_at >= time, or_(table.schedule_at > time, table.id > number)
        )
    rows: Sequence[Any] = conn.execute(
        query.order_by(table.schedule_at, table.id).limit(limit + 1)
    ).all()
    page = rows[:limit]
    more = len(rows) > limit
    return OutboundPage(
        make_texts(conn, page), (page[-1].schedule_at, page[-1].id) if more else None
    )
