"""Who did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from app.domain.access.credentials import Actor
from app.storage.tables.access import audit

FAILED_SIGN_IN = "session.fail"
# The actor of a failed sign-in: the name given is the subject.
STRANGER = "stranger"
FAILED_AN_HOUR = 100
# As many as a menu can hold.
MOST_CHOICES = 500
FAILED_KEPT = timedelta(days=90)
# The subject of an entry of which only that it was done is kept.
FORGOTTEN = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, and when. `subject` is a number, a name or an id; `detail` holds no secret.

    `actor` is a key, a session or the command line; `address` is None if unknown.
    """

    id: int
    done_at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    address: str | None


def add_audit(
    conn: Connection,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> int:
    """`actor` is a key, a session or the command line, an Actor if the address is known; `detail`
    must not contain secrets. Returns the entry's id.
    """
    entry = insert(audit).values(
        done_at=now,
        actor=str(actor),
        action=action,
        subject=subject,
        detail=dict(detail),
        address=actor.address if isinstance(actor, Actor) else None,
    )
    return int(conn.execute(entry.returning(audit.c.id)).scalar_one())


def list_audit_actors(conn: Connection) -> list[str]:
    """Everybody who has done something, as stored; at most MOST_CHOICES."""
    return _list_distinct(conn, "actor")


def list_audit_actions(conn: Connection) -> list[str]:
    """Every action that has been done, in the order of their codes."""
    return _list_distinct(conn, "action")


def add_failed_sign_in(conn: Connection, name: str, address: str, now: datetime) -> None:
    """Record a wrong password, at most FAILED_AN_HOUR an hour."""
    failed = audit.c.action == FAILED_SIGN_IN
    query = select(audit.c.done_at).where(failed).order_by(audit.c.id.desc())
    last = conn.execute(query.offset(FAILED_AN_HOUR - 1).limit(1)).scalar()
    if last is None or last <= now - timedelta(hours=1):
        add_audit(conn, Actor(STRANGER, address), FAILED_SIGN_IN, name, {}, now)


def forget_failed_sign_ins(conn: Connection, now: datetime, *, limit: int) -> int:
    """Remove entries older than FAILED_KEPT, `limit` at most; returns how many were removed."""
    old = select(audit.c.id).where(
        audit.c.action == FAILED_SIGN_IN, audit.c.done_at < now - FAILED_KEPT
    )
    ids = old.order_by(audit.c.id).limit(limit)
    return conn.execute(delete(audit).where(audit.c.id.in_(ids))).rowcount


def forget_old_details(
    conn: Connection, before: datetime, after: int, limit: int
) -> tuple[int | None, int]:
    """Forget to whom and to what old entries speak: that somebody did such a thing stays.

    Of the next `limit` entries behind that id; returns the id to go on from, None at the end, and
    how many were changed.
    """
    query = select(audit.c.id, audit.c.done_at, audit.c.subject).where(audit.c.id > after)
    rows = conn.execute(query.order_by(audit.c.id).limit(limit)).all()
    old = [row.id for row in rows if row.done_at < before and row.subject != FORGOTTEN]
    if old:
        forgotten: dict[str, Any] = {"subject": FORGOTTEN, "detail": {}, "address": None}
        conn.execute(update(audit).where(audit.c.id.in_(old)).values(forgotten))
    is_end = len(rows) < limit or all(row.done_at >= before for row in rows)
    return None if is_end else rows[-1].id, len(old)


def list_audit(
    conn: Connection,
    *,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None,
    limit: int,
) -> list[AuditEntry]:
    """Newest first; `since` is inclusive and `until` exclusive."""
    table = audit.c
    query = select(audit).order_by(table.id.desc()).limit(limit)
    if actor is not None:
        query = query.where(table.actor == actor)
    if action is not None:
        query = query.where(table.action == action)
    if since is not None:
        query = query.where(table.done_at >= since)
    if until is not None:
        query = query.where(table.done_at < until)
    if before is not None:
        query = query.where(table.id < before)
    return [AuditEntry(*row) for row in conn.execute(query)]


def _list_distinct(conn: Connection, column: str) -> list[str]:
    """Jumps from one value to the next along the index: DISTINCT would read all entries."""
    query = f"""
    WITH RECURSIVE found(value) AS (
        SELECT min({column}) FROM audit
        UNION ALL
        SELECT (SELECT min({column}) FROM audit WHERE {column} > found.value) FROM found
        WHERE found.value IS NOT NULL
    )
    SELECT value FROM found WHERE value IS NOT NULL LIMIT {MOST_CHOICES}
    """  # noqa: S608 the names are ours
    return list(conn.execute(text(query)).scalars())
