"""Has deliveries made by hand: a test, or what was delivered or given up before."""

from datetime import datetime

from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.ids import encode_id
from app.domain.webhooks.payloads import TEST_TYPE, make_body
from app.flows.webhooks.configure_webhooks import MakeSalt, make_salt
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.operations.events import find_place
from app.storage.webhooks import deliveries, endpoints
from app.storage.webhooks.deliveries import Delivery
from app.storage.webhooks.endpoints import Webhook


async def send_test(
    database: Database,
    webhook_id: int,
    *,
    who: str,
    now: datetime,
    make_salt: MakeSalt = make_salt,
) -> Delivery:
    """Queue a delivery of the type `webhook.test`.

    Raises NotFound, and Conflict if the webhook is disabled.
    """
    message_id = f"test_{make_salt().hex()}"
    data = f'{{"webhook_id": "{encode_id("whk", webhook_id)}"}}'
    values = {
        "webhook_id": webhook_id,
        "message_id": message_id,
        "type": TEST_TYPE,
        "order_key": message_id,
        "body": make_body(message_id, TEST_TYPE, now, data),
    }

    def queue(conn: Connection) -> Delivery:
        _lock_enabled(conn, webhook_id)
        added = deliveries.add_test(conn, values, now=now)
        add_audit(conn, who, "webhook.test", str(webhook_id), {}, now)
        return added

    return await database.write(queue)


async def replay_delivery(
    database: Database, webhook_id: int, delivery_id: int, *, who: str, now: datetime
) -> int:
    """Send one delivery again. Raises NotFound, and Conflict if the webhook is disabled."""

    def replay(conn: Connection) -> int:
        _lock_enabled(conn, webhook_id)
        found = deliveries.get_delivery(conn, delivery_id)
        if found.webhook_id != webhook_id:
            raise NotFound("no such delivery of this webhook")
        detail = {"delivery": encode_id("dlv", delivery_id)}
        add_audit(conn, who, "webhook.replay", str(webhook_id), detail, now)
        return deliveries.requeue(conn, [delivery_id], now)

    return await database.write(replay)


async def replay_failed(database: Database, webhook_id: int, *, who: str, now: datetime) -> int:
    """Send again what was given up, the oldest 1,000 at most, and what waits for another attempt.

    Returns how many were given up. Raises NotFound, and Conflict if the webhook is disabled.
    """

    def replay(conn: Connection) -> int:
        _lock_enabled(conn, webhook_id)
        queued = deliveries.requeue(conn, deliveries.list_failed(conn, webhook_id), now)
        deliveries.hasten_waiting(conn, webhook_id, now)
        add_audit(conn, who, "webhook.replay", str(webhook_id), {"failed": queued}, now)
        return queued

    return await database.write(replay)


async def replay_since(
    database: Database, webhook_id: int, since: datetime, *, who: str, now: datetime
) -> None:
    """Deliver every event since then again, delivered or not, before newer ones.

    Raises InvalidInput for a time from which events are no longer kept, NotFound, and Conflict if
    the webhook is disabled.
    """

    def replay(conn: Connection) -> None:
        was = _lock_enabled(conn, webhook_id)
        place = find_place(conn, since, now)
        if place is None:
            raise InvalidInput("events are kept for seven days: write a later time", field="since")
        if place < was.position:
            endpoints.change_webhook(conn, webhook_id, {"position": place})
        detail = {"since": since.isoformat()}
        add_audit(conn, who, "webhook.replay", str(webhook_id), detail, now)

    await database.write(replay)


def _lock_enabled(conn: Connection, webhook_id: int) -> Webhook:
    found = endpoints.lock_webhook(conn, webhook_id)
    if found.disabled_at is not None:
        raise Conflict("the webhook is disabled: enable it first")
    return found
