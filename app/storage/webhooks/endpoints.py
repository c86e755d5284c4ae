"""The endpoints that webhooks call, as people configure them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from app.domain.errors import NotFound
from app.storage.tables.webhooks import webhook_deliveries, webhooks

State = Literal["active", "failing", "disabled"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint. Events up to `position` are dealt with: delivered, or kept as deliveries.

    `numbers` are ours, empty for all; `revision` counts what people changed.
    """

    id: int
    url: str
    types: tuple[str, ...]
    numbers: tuple[str, ...]
    ordered: bool
    created_at: datetime
    salt: bytes = field(repr=False)
    secret_digest: bytes = field(repr=False)
    old_salt: bytes | None = field(repr=False)
    old_salt_until: datetime | None
    position: int
    revision: int
    holder: str | None
    lease_until: datetime | None
    failing_since: datetime | None
    resume_at: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    last_message_id: str | None

    @property
    def state(self) -> State:
        if self.disabled_at is not None:
            return "disabled"
        return "active" if self.failing_since is None else "failing"


COLUMNS = [webhooks.c[each.name] for each in fields(Webhook)]


def add_webhook(conn: Connection, values: Mapping[str, Any], *, now: datetime) -> Webhook:
    """`values` are the url, types, numbers, ordered, salt, secret_digest and position."""
    given = dict(values) | {"types": " ".join(values["types"]), "numbers": list(values["numbers"])}
    row = conn.execute(
        insert(webhooks).values(**given, created_at=now, revision=0).returning(*COLUMNS)
    ).one()
    return make_webhook(row)


def find_webhook(conn: Connection, webhook_id: int) -> Webhook | None:
    row = conn.execute(select(*COLUMNS).where(webhooks.c.id == webhook_id)).first()
    return None if row is None else make_webhook(row)


def get_webhook(conn: Connection, webhook_id: int) -> Webhook:
    """Raises NotFound."""
    found = find_webhook(conn, webhook_id)
    if found is None:
        raise NotFound("no such webhook; it may have been removed")
    return found


def lock_webhook(conn: Connection, webhook_id: int) -> Webhook:
    """Lock the row until the transaction ends. Raises NotFound."""
    conn.execute(select(webhooks.c.id).where(webhooks.c.id == webhook_id).with_for_update())
    return get_webhook(conn, webhook_id)


def list_webhooks(conn: Connection, *, before: int | None, limit: int) -> list[Webhook]:
    """Newest first."""
    query = select(*COLUMNS).order_by(webhooks.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(webhooks.c.id < before)
    return [make_webhook(row) for row in conn.execute(query)]


def count_webhooks(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(webhooks)).scalar_one()


def change_webhook(conn: Connection, webhook_id: int, changes: Mapping[str, Any]) -> Webhook:
    """Set columns; whoever delivers to it notices by the revision. Raises NotFound."""
    values = dict(changes)
    if "types" in values:
        values["types"] = " ".join(values["types"])
    if "numbers" in values:
        values["numbers"] = list(values["numbers"])
    conn.execute(
        update(webhooks)
        .where(webhooks.c.id == webhook_id)
        .values(**values, revision=webhooks.c.revision + 1)
    )
    return get_webhook(conn, webhook_id)


def remove_webhook(conn: Connection, webhook_id: int) -> None:
    """Removes its deliveries as well."""
    conn.execute(delete(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id))
    conn.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


def make_webhook(row: Row[Any]) -> Webhook:
    values: dict[str, Any] = dict(row._mapping)
    values["types"] = tuple(values["types"].split())
    values["numbers"] = tuple(values["numbers"])
    return Webhook(**values)


def list_all(conn: Connection) -> Sequence[Webhook]:
    """Every endpoint; there are few."""
    return [make_webhook(row) for row in conn.execute(select(*COLUMNS).order_by(webhooks.c.id))]
