"""Imports of contacts: the lines that still wait, and the provider's results for the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from app.domain.errors import Conflict, NotFound
from app.storage.tables.conversations import contact_imports

# The provider's address book keeps the names and numbers; this is not a copy of it.
KEPT = timedelta(days=7)


class WaitingContact(NamedTuple):
    """A contact and the line of the file on which it ends, counted from 1."""

    line: int
    name: str
    number: str
    email: str
    groups: Sequence[str]


class LineResult(NamedTuple):
    """The provider's result for a line, and its reason or ""."""

    line: int
    result: str
    detail: str


@dataclass(frozen=True, slots=True)
class ContactImport:
    """`error` says why it stopped; `lease_until` is set while a process works on it."""

    id: int
    actor: str
    ignore_duplicates: bool
    overwrite_duplicates: bool
    waiting: tuple[WaitingContact, ...]
    total: int
    results: tuple[LineResult, ...]
    error: str | None
    lease_until: datetime | None
    created_at: datetime
    finished_at: datetime | None

    def is_running(self, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > now


def add_import(
    conn: Connection,
    actor: str,
    contacts: Sequence[WaitingContact],
    *,
    ignore_duplicates: bool,
    overwrite_duplicates: bool,
    now: datetime,
) -> int:
    """Store an import, and delete old ones. Returns its id."""
    conn.execute(delete(contact_imports).where(contact_imports.c.created_at < now - KEPT))
    row = insert(contact_imports).values(
        actor=actor,
        ignore_duplicates=ignore_duplicates,
        overwrite_duplicates=overwrite_duplicates,
        contacts=contacts,
        total=len(contacts),
        results=[],
        created_at=now,
    )
    import_id: int = conn.execute(row.returning(contact_imports.c.id)).scalar_one()
    return import_id


def get_import(conn: Connection, import_id: int) -> ContactImport:
    """Raises NotFound."""
    query = select(contact_imports).where(contact_imports.c.id == import_id)
    row = conn.execute(query).first()
    if row is None:
        raise NotFound(f"no such import; each is kept for {KEPT.days} days")
    return _make_import(row)


def claim_import(
    conn: Connection, import_id: int, *, now: datetime, lease: timedelta
) -> ContactImport:
    """Lease it. Raises Conflict if it is finished or another process works on it."""
    table = contact_imports.c
    is_free = or_(table.lease_until.is_(None), table.lease_until <= now)
    claimed = conn.execute(
        update(contact_imports)
        .where(table.id == import_id, table.finished_at.is_(None), is_free)
        .values(lease_until=now + lease, error=None)
    )
    found = get_import(conn, import_id)
    if not claimed.rowcount:
        raise Conflict("this import is finished or already running")
    return found


def add_results(
    conn: Connection,
    claimed: ContactImport,
    results: Sequence[LineResult],
    *,
    now: datetime,
    lease: timedelta,
) -> ContactImport:
    """Store the results of the first waiting lines.

    Raises Conflict if another process has claimed the import since.
    """
    waiting = claimed.waiting[len(results) :]
    _change(
        conn,
        claimed,
        contacts=waiting,
        results=[*claimed.results, *results],
        lease_until=now + lease if waiting else None,
        finished_at=None if waiting else now,
    )
    return get_import(conn, claimed.id)


def stop_import(conn: Connection, claimed: ContactImport, error: str) -> None:
    """Pause it until a person continues it. Raises Conflict as above."""
    _change(conn, claimed, error=error, lease_until=None)


def _change(conn: Connection, claimed: ContactImport, **values: Any) -> None:
    """Only the latest claim counts: each claim and each step sets a different lease end."""
    table = contact_imports.c
    is_ours = (table.id == claimed.id) & (table.lease_until == claimed.lease_until)
    if not conn.execute(update(contact_imports).where(is_ours).values(**values)).rowcount:
        raise Conflict("another process has taken over this import")


def _make_import(row: Row[Any]) -> ContactImport:
    values = dict(row._mapping)
    values["waiting"] = tuple(WaitingContact(*each) for each in values.pop("contacts"))
    values["results"] = tuple(LineResult(*each) for each in row.results)
    return ContactImport(**values)
