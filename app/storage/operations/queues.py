"""How long the oldest item of each queue has been waiting."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

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
    """When the first event happened that an endpoint has refused so far, or not answered.

    Endpoint by endpoint: one that has failed for days may have any number.
    """
    table = webhook_deliveries.c
    enabled = select(webhooks.c.id).where(webhooks.c.disabled_at.is_(None))
    waiting = (
        select(table.happened_at)
        .where(table.webhook_id == bindparam("webhook_id"), table.state == "waiting")
        .order_by(table.id)
        .limit(1)
    )
    found = [
        conn.execute(waiting, {"webhook_id": webhook_id}).scalar()
        for webhook_id in conn.execute(enabled).scalars().all()
    ]
    return min((since for since in found if since is not None), default=None)


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
