"""What became of texts: every change of a status, each with the event that tells of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from app.storage.operations.events import add_events
from app.storage.tables.outbound import status_changes


@dataclass(frozen=True, slots=True)
class StatusChange:
    """`provider_id` is of the part that brought it, `provider_status` the provider's word.

    `source` is send, check, report, background, lease, or who did it.
    """

    outbound_id: int
    status: str
    source: str
    changed_at: datetime
    provider_id: str | None = None
    provider_status: str | None = None


def note_changes(conn: Connection, changes: Sequence[StatusChange], now: datetime) -> None:
    """Write the history and, as the transaction's last step, the events."""
    if not changes:
        return
    conn.execute(insert(status_changes), [asdict(change) for change in changes])
    ids = dict.fromkeys(change.outbound_id for change in changes)
    add_events(conn, [("status", each) for each in ids], now)


def list_changes(conn: Connection, outbound_id: int, *, limit: int = 500) -> list[StatusChange]:
    """A text's history, oldest first."""
    table = status_changes.c
    query = (
        select(
            table.outbound_id,
            table.status,
            table.source,
            table.changed_at,
            table.provider_id,
            table.provider_status,
        )
        .where(table.outbound_id == outbound_id)
        .order_by(table.id)
        .limit(limit)
    )
    return [StatusChange(*row) for row in conn.execute(query)]
