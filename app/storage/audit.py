"""Who did what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, insert, select

from app.storage.outbound_tables import audit

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody does; `subject` is a number, a name, or the id of the thing.

    `actor` is a key, a session or the command line; `detail` holds no secret.
    """

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A deed as it is kept."""

    id: int
    done_at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def add_audit(
    conn: Connection,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """`actor` is a key, a session or the command line; `detail` holds no secret."""
    conn.execute(
        insert(audit).values(
            done_at=now, actor=actor, action=action, subject=subject, detail=dict(detail)
        )
    )


def do_audited(
    conn: Connection,
    deed: Deed,
    done_at: datetime,
    change: Callable[Concatenate[Connection, P], T],
    *arguments: P.args,
    **options: P.kwargs,
) -> T:
    """Make a change and note whose it is, in this one transaction."""
    result = change(conn, *arguments, **options)
    add_audit(conn, deed.actor, deed.action, deed.subject, deed.detail, done_at)
    return result


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
