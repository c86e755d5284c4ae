"""The forwards that were turned away: when, from where, to which number and why; no content."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from app.storage.tables.inbound import refusals

KEPT_ROWS = 20_000
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Refusal:
    """`count` alike ones (address, dest and reason) that came within the same second or so.

    In a flood, `address` is "many" and `count` is that of ten minutes.
    """

    id: int
    refused_at: datetime
    address: str
    dest: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class NewRefusal:
    refused_at: datetime
    address: str
    dest: str
    reason: str
    count: int


def add_refusals(conn: Connection, refused: Sequence[NewRefusal]) -> None:
    """Keep these and forget the oldest beyond KEPT_ROWS."""
    for each in refused:
        conn.execute(
            insert(refusals).values(
                refused_at=each.refused_at,
                address=each.address,
                dest=each.dest,
                reason=each.reason,
                count=each.count,
            )
        )
    newest = conn.execute(select(func.max(refusals.c.id))).scalar() or 0
    conn.execute(delete(refusals).where(refusals.c.id <= newest - KEPT_ROWS))


def forget_old_refusals(conn: Connection, now: datetime, *, limit: int) -> int:
    """Remove those older than KEPT, `limit` at most; returns how many went."""
    old = select(refusals.c.id).where(refusals.c.refused_at < now - KEPT)
    return conn.execute(
        delete(refusals).where(refusals.c.id.in_(old.order_by(refusals.c.id).limit(limit)))
    ).rowcount


def list_refusals(
    conn: Connection, *, dest: str | None = None, before: int | None, limit: int
) -> list[Refusal]:
    """Newest first; with `dest` those to one number, of the KEPT_ROWS that there are."""
    query = select(refusals).order_by(refusals.c.id.desc()).limit(limit)
    if dest is not None:
        query = query.where(refusals.c.dest == dest)
    if before is not None:
        query = query.where(refusals.c.id < before)
    return [Refusal(*row) for row in conn.execute(query)]
