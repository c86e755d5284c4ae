"""Which process delivers to which endpoint: one at a time, for as long as it renews its lease."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select, update

from app.storage.operations.leases import LEEWAY
from app.storage.tables.operations import processes
from app.storage.tables.webhooks import webhooks
from app.storage.webhooks.endpoints import COLUMNS, Webhook, make_webhook

# A process without a heartbeat for this long gets no share of the endpoints.
ALIVE = timedelta(seconds=30)


def count_workers(conn: Connection, now: datetime) -> int:
    """How many processes share the endpoints."""
    alive = processes.c.runs_workers & (processes.c.seen_at > now - ALIVE)
    return conn.execute(select(func.count()).select_from(processes).where(alive)).scalar_one()


def hold_webhooks(
    conn: Connection, ids: Collection[int], holder: str, *, seconds: float, now: datetime
) -> list[Webhook]:
    """Take or renew the leases of those endpoints that no other process holds."""
    until = now + timedelta(seconds=seconds)
    table = webhooks.c
    # A lease that ends later than is possible was taken before the clock was set back.
    is_free = or_(
        table.holder.is_(None),
        table.holder == holder,
        table.lease_until <= now,
        table.lease_until > until + LEEWAY,
    )
    wanted = select(table.id).where(table.id.in_(ids), table.disabled_at.is_(None), is_free)
    locked = wanted.order_by(table.id).with_for_update(skip_locked=True)
    held = list(conn.execute(locked).scalars())
    if not held:
        return []
    taken = (
        update(webhooks)
        .where(table.id.in_(held))
        .values(holder=holder, lease_until=until)
        .returning(*COLUMNS)
    )
    return [make_webhook(row) for row in conn.execute(taken)]


def release_webhooks(conn: Connection, ids: Collection[int], holder: str) -> None:
    """Let other processes have them."""
    conn.execute(
        update(webhooks)
        .where(webhooks.c.id.in_(ids), webhooks.c.holder == holder)
        .values(holder=None, lease_until=None)
    )
