"""Refused forwards: when, from where, to which number and why; no content."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from app.storage.tables.inbound import refusals

KEPT_ROWS = 20_000
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """`count` refusals with the same address, dest and reason within about a second.

    In a flood, `address` is "many" and `count` is that of ten minutes.
    """

    refused_at: datetime
    address: str
    dest: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Refusal(NewRefusal):
    """One that is stored."""

    id: int


def add_refusals(conn: Connection, refused: Sequence[NewRefusal]) -> None:
    """Store these, and delete the oldest beyond KEPT_ROWS."""
    if refused:
        conn.execute(insert(refusals), [asdict(each) for each in refused])
    newest = conn.execute(select(func.max(refusals.c.id))).scalar() or 0
    conn.execute(delete(refusals).where(refusals.c.id <= newest - KEPT_ROWS))


def forget_old_refusals(conn: Connection, now: datetime, *, limit: int) -> int:
    """Delete those older than KEPT, at most `limit`; returns how many."""
    return forget_refusals(conn, now - KEPT, limit)


def forget_refusals(conn: Connection, before: datetime, limit: int) -> int:
    """The same with those older than a time."""
    old = select(refusals.c.id).where(refusals.c.refused_at < before)
    return conn.execute(
        delete(refusals).where(refusals.c.id.in_(old.order_by(refusals.c.id).limit(limit)))
    ).rowcount


def list_refusals(
    conn: Connection, *, dest: str | None = None, before: int | None, limit: int
) -> list[Refusal]:
    """Newest first; with `dest` only those to one number."""
    query = select(refusals).order_by(refusals.c.id.desc()).limit(limit)
    if dest is not None:
        query = query.where(refusals.c.dest == dest)
    if before is not None:
        query = query.where(refusals.c.id < before)
    return [Refusal(**row) for row in conn.execute(query).mappings()]
