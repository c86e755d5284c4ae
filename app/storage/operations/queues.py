"""How long the oldest item of each queue has been waiting."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from app.domain.outbound.states import OutboundStatus
from app.storage.operations.notify_addresses import list_addresses
from app.storage.operations.stats import find_oldest_unhandled
from app.storage.tables.operations import events
from app.storage.tables.outbound import has_status, outbound, status_changes
from app.storage.tables.webhooks import webhook_deliveries, webhooks


def find_oldest(conn: Connection) -> Mapping[str, datetime | None]:
    """Since when the oldest item of each queue has been waiting; None where none is."""
    return {
        "messages": find_oldest_unhandled(conn),
        "uncertain": _find_oldest_uncertain(conn),
        "notifications": _find_oldest_notification(conn),
        "webhooks": _find_oldest_delivery(conn),
    }


def _find_oldest_uncertain(conn: Connection) -> datetime | None:
    """Since when a text has been uncertain."""
    query = (
        select(func.min(status_changes.c.changed_at))
        .join(outbound, outbound.c.id == status_changes.c.outbound_id)
        .where(
            has_status(outbound, OutboundStatus.UNCERTAIN),
            status_changes.c.status == OutboundStatus.UNCERTAIN,
        )
    )
    return conn.execute(query).scalar()


def _find_oldest_delivery(conn: Connection) -> datetime | None:
    """When the first event happened that an endpoint has not been told of, or has not accepted.

    Endpoint by endpoint: one that has failed for days may have any number. How far each has come in
    the events is stored every ten seconds, so one with nothing to do may seem that much behind.
    """
    query = select(webhooks.c.id, webhooks.c.position).where(webhooks.c.disabled_at.is_(None))
    waiting, untold = _select_waiting(), _select_untold()
    found: list[datetime | None] = []
    for place in conn.execute(query).mappings().all():
        found += [conn.execute(each, dict(place)).scalar() for each in (waiting, untold)]
    return min((since for since in found if since is not None), default=None)


def _select_waiting() -> Select[Any]:
    table = webhook_deliveries.c
    ours = select(table.happened_at).where(
        table.webhook_id == bindparam("id"), table.state == "waiting"
    )
    return ours.order_by(table.id).limit(1)


def _select_untold() -> Select[Any]:
    later = select(events.c.created_at).where(events.c.id > bindparam("position"))
    return later.order_by(events.c.id).limit(1)


def _find_oldest_notification(conn: Connection) -> datetime | None:
    """When the first alert happened that an address has not been told of."""
    places = [
        each.alerts_after for each in list_addresses(conn) if each.is_enabled and each.wishes.alerts
    ]
    if not places:
        return None
    query = (
        select(events.c.created_at)
        .where(events.c.id > min(places), events.c.kind == "alert")
        .order_by(events.c.id)
        .limit(1)
    )
    return conn.execute(query).scalar()
