"""Alerts: what needs a person, open until it is over, each with what to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from app.domain.operations.alert_kinds import Severity, find_kind, make_runbook_path
from app.storage.db.upserts import make_insert
from app.storage.operations.events import add_event
from app.storage.tables.operations import alerts

# How many one transaction closes, so that others can write in between.
STEP = 100
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Alert:
    """`kind` is stable for programs, `subject` says which one, `count` how often it happened."""

    id: int
    kind: str
    subject: str
    text: str
    action: str
    count: int
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None

    @property
    def severity(self) -> Severity:
        return find_kind(self.kind).severity

    @property
    def runbook(self) -> str:
        """Where the pages explain what to do, below PUBLIC_URL."""
        return make_runbook_path(self.kind)


def raise_alert(
    conn: Connection,
    kind: str,
    subject: str,
    *,
    text: str,
    action: str,
    now: datetime,
    count: int = 1,
) -> None:
    """Open an alert, or count it again if it is already open.

    Safe if several processes raise the same alert at once.
    """
    same = (alerts.c.kind == kind) & (alerts.c.subject == subject) & alerts.c.closed_at.is_(None)
    again = {"text": text, "count": alerts.c.count + count, "updated_at": now}
    if conn.execute(update(alerts).where(same).values(again)).rowcount:
        return
    first = make_insert(conn, alerts).values(
        kind=kind,
        subject=subject,
        text=text,
        action=action,
        count=count,
        opened_at=now,
        updated_at=now,
    )
    # If another process has opened it since, this one waits for its commit and counts it.
    alert_id = conn.execute(
        first.on_conflict_do_update(
            index_elements=[alerts.c.kind, alerts.c.subject],
            index_where=alerts.c.closed_at.is_(None),
            set_=again,
        ).returning(alerts.c.id)
    ).scalar_one()
    add_event(conn, "alert", alert_id, now)


def close_alert(conn: Connection, kind: str, subject: str, *, now: datetime) -> bool:
    """End an alert where it is open; returns whether it was."""
    same = (alerts.c.kind == kind) & (alerts.c.subject == subject) & alerts.c.closed_at.is_(None)
    closed = conn.execute(
        update(alerts).where(same).values(closed_at=now, updated_at=now).returning(alerts.c.id)
    ).scalars()
    ids = closed.all()
    for alert_id in ids:
        add_event(conn, "alert-closed", alert_id, now)
    return bool(ids)


def list_quiet_subjects(conn: Connection, kind: str, *, before: datetime) -> list[str]:
    """The subjects of a kind's open alerts that have not been raised again since `before`.

    Only the oldest STEP, because they are dealt with in one transaction.
    """
    quiet = (alerts.c.kind == kind) & alerts.c.closed_at.is_(None) & (alerts.c.updated_at < before)
    query = select(alerts.c.subject).where(quiet).order_by(alerts.c.id).limit(STEP)
    return list(conn.execute(query).scalars())


def close_quiet_alerts(conn: Connection, kind: str, *, before: datetime, now: datetime) -> None:
    """Close STEP of a kind's open alerts that have not been raised again since `before`."""
    for subject in list_quiet_subjects(conn, kind, before=before):
        close_alert(conn, kind, subject, now=now)


def list_alerts(
    conn: Connection, *, before: int | None, limit: int, is_open: bool | None = None
) -> list[Alert]:
    """Newest first; with `is_open` only those that are open, or only those that are closed."""
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    if is_open is not None:
        closed_at = alerts.c.closed_at
        query = query.where(closed_at.is_(None) if is_open else closed_at.is_not(None))
    if before is not None:
        query = query.where(alerts.c.id < before)
    return [_make_alert(row) for row in conn.execute(query)]


def forget_old_alerts(conn: Connection, now: datetime, *, limit: int) -> int:
    """Remove alerts closed for KEPT, `limit` at most; returns how many were removed."""
    return forget_closed_alerts(conn, now - KEPT, limit)


def forget_closed_alerts(conn: Connection, before: datetime, limit: int) -> int:
    """The same with those closed before a time."""
    old = select(alerts.c.id).where(alerts.c.closed_at < before).limit(limit)
    return conn.execute(delete(alerts).where(alerts.c.id.in_(old))).rowcount


def list_open_alerts(conn: Connection, kind: str) -> list[Alert]:
    """The oldest STEP open alerts of a kind."""
    query = select(alerts).where(alerts.c.kind == kind, alerts.c.closed_at.is_(None))
    return [_make_alert(row) for row in conn.execute(query.order_by(alerts.c.id).limit(STEP))]


def list_open_subjects(conn: Connection, kind: str) -> set[str]:
    """What the open alerts of a kind are about."""
    query = select(alerts.c.subject).where(alerts.c.kind == kind, alerts.c.closed_at.is_(None))
    return set(conn.execute(query).scalars())


def get_alerts(conn: Connection, ids: list[int]) -> dict[int, Alert]:
    """By id; deleted ones are missing."""
    rows = conn.execute(select(alerts).where(alerts.c.id.in_(ids)))
    return {row.id: _make_alert(row) for row in rows}


def _make_alert(row: Any) -> Alert:
    return Alert(*row)


def count_open_alerts(conn: Connection) -> int:
    query = select(func.count()).select_from(alerts).where(alerts.c.closed_at.is_(None))
    return conn.execute(query).scalar_one()
