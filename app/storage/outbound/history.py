"""The history of texts: every change of a status, each with its event."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, select

from app.domain.outbound.checks import SOONEST, plan_first_check
from app.domain.outbound.states import FINAL_STATUSES, OutboundStatus
from app.storage.db.writes import BulkWrite, make_bulk_insert
from app.storage.operations.events import add_events
from app.storage.tables.outbound import status_changes


@dataclass(frozen=True, slots=True)
class StatusChange:
    """`provider_id` is that of the part concerned, `provider_status` the provider's own status.

    `source` is send, check, report, background, lease, or who did it. `note` says what else has
    changed than the status.
    """

    outbound_id: int
    status: str
    source: str
    changed_at: datetime
    provider_id: str | None = None
    provider_status: str | None = None
    note: str | None = None


def describe_status(
    status: OutboundStatus,
    now: datetime,
    *,
    check_from: datetime | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """What a new status means for the other columns of a text, except when it is next due.

    `check_from` is when the provider is to send it, if not now. `reason` is given where neither the
    provider nor the call says why it ended.
    """
    values: dict[str, Any] = {
        "status": status,
        "held_reason": None,
        "error_code": None,
        "error_text": None,
        "lease_until": None,
        "check_at": None,
        "absent_since": None,
        "settled_reason": reason,
    }
    if status is OutboundStatus.SENT:
        values |= {"sent_at": now, "check_at": plan_first_check(check_from or now)}
    elif status is OutboundStatus.UNCERTAIN:
        values["check_at"] = now + SOONEST
    elif status in FINAL_STATUSES:
        values["settled_at"] = now
    return values


def note_changes(conn: Connection, changes: Sequence[StatusChange], now: datetime) -> None:
    """Write the history and, as the transaction's last step, the events."""
    if not changes:
        return
    _insert_changes().run(conn, [_describe(change) for change in changes])
    ids = dict.fromkeys(change.outbound_id for change in changes)
    add_events(conn, [("status", each) for each in ids], now)


_COLUMNS = tuple(each.name for each in fields(StatusChange))


def _describe(change: StatusChange) -> dict[str, Any]:
    return {name: getattr(change, name) for name in _COLUMNS}


@cache  # building it takes longer than running it
def _insert_changes() -> BulkWrite:
    return make_bulk_insert(status_changes, _COLUMNS)


def list_changes(conn: Connection, outbound_id: int, *, limit: int = 500) -> list[StatusChange]:
    """A text's history, oldest first."""
    table = status_changes.c
    query = (
        select(*(table[name] for name in _COLUMNS))
        .where(table.outbound_id == outbound_id)
        .order_by(table.id)
        .limit(limit)
    )
    return [StatusChange(*row) for row in conn.execute(query)]
