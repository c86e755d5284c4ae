"""Configures webhooks.

`who` is their name in the audit trail: every change is recorded in its own transaction.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.domain.errors import Conflict, InvalidInput
from app.domain.numbers import normalise_number
from app.domain.webhooks.networks import Network
from app.domain.webhooks.payloads import TYPES
from app.domain.webhooks.signing import derive_secret, digest_webhook_secret, show_secret
from app.domain.webhooks.urls import read_webhook_url
from app.flows.access.configure import accept
from app.flows.webhooks.leases import UNSIGNED
from app.flows.webhooks.record import DISABLED
from app.storage.access.audit import add_audit
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import close_alert
from app.storage.operations.events import read_event_bounds
from app.storage.webhooks import deliveries, endpoints
from app.storage.webhooks.endpoints import Webhook

MOST_WEBHOOKS = 100
MOST_NUMBERS = 100
SALT_BYTES = 16
# How long both secrets sign after a rotation.
OVERLAP = timedelta(hours=24)

CheckWebhook = Callable[[Webhook], None]
MakeSalt = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Rules:
    """What webhooks are checked by: networks that they may call, and the region of numbers."""

    networks: Sequence[Network]
    region: str


@dataclass(frozen=True, slots=True)
class WebhookWithSecret:
    """An endpoint and its newest secret, which is not stored."""

    webhook: Webhook
    secret: str = field(repr=False)


def make_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


async def add_webhook(
    database: Database,
    url: str,
    *,
    types: Sequence[str] = TYPES,
    numbers: Sequence[str] = (),
    ordered: bool = False,
    rules: Rules,
    master: str,
    who: str,
    now: datetime,
    make_salt: MakeSalt = make_salt,
) -> WebhookWithSecret:
    """An endpoint that hears of everything from now on. Raises InvalidInput, and Conflict where
    there are too many.
    """
    chosen = _read({"url": url, "types": types, "numbers": numbers, "ordered": ordered}, rules)
    salt = make_salt()
    secret = derive_secret(master, salt)

    def add(conn: Connection) -> Webhook:
        if endpoints.count_webhooks(conn) >= MOST_WEBHOOKS:
            raise Conflict(f"there are {MOST_WEBHOOKS} webhooks already: remove one first")
        _, newest = read_event_bounds(conn)
        values = chosen | {"salt": salt, "secret_digest": digest_webhook_secret(secret)}
        added = endpoints.add_webhook(conn, values | {"position": newest}, now=now)
        add_audit(conn, who, "webhook.add", str(added.id), chosen, now)
        return added

    return WebhookWithSecret(await database.write(add), show_secret(secret))


async def change_webhook(
    database: Database,
    webhook_id: int,
    changes: Mapping[str, Any],
    *,
    rules: Rules,
    check: CheckWebhook = accept,
    who: str,
    now: datetime,
) -> Webhook:
    """Set `url`, `types`, `numbers`, `ordered` and `state` (active or disabled) as far as they are
    named. Raises InvalidInput and NotFound.
    """
    chosen = _read({name: value for name, value in changes.items() if name != "state"}, rules)
    state = changes.get("state")

    def change(conn: Connection) -> Webhook:
        was = endpoints.lock_webhook(conn, webhook_id)
        check(was)
        if chosen:
            was = endpoints.change_webhook(conn, webhook_id, chosen)
            add_audit(conn, who, "webhook.change", str(webhook_id), chosen, now)
        if state == "disabled" and was.disabled_at is None:
            was = _disable(conn, webhook_id, who, now)
        if state == "active" and was.disabled_at is not None:
            was = _enable(conn, webhook_id, who, now)
        return was

    return await database.write(change)


def _disable(conn: Connection, webhook_id: int, who: str, now: datetime) -> Webhook:
    values = {"disabled_at": now, "disabled_reason": "somebody disabled it"}
    changed = endpoints.change_webhook(conn, webhook_id, values)
    add_audit(conn, who, "webhook.disable", str(webhook_id), {}, now)
    return changed


def _enable(conn: Connection, webhook_id: int, who: str, now: datetime) -> Webhook:
    """It goes on where it stopped; what waits for another attempt is due now."""
    names = ("disabled_at", "disabled_reason", "failing_since", "resume_at")
    changed = endpoints.change_webhook(conn, webhook_id, dict.fromkeys(names))
    deliveries.hasten_waiting(conn, webhook_id, now)
    add_audit(conn, who, "webhook.enable", str(webhook_id), {}, now)
    close_alert(conn, DISABLED, str(webhook_id), now=now)
    return changed


async def rotate_secret(
    database: Database,
    webhook_id: int,
    *,
    master: str,
    check: CheckWebhook = accept,
    who: str,
    now: datetime,
    make_salt: MakeSalt = make_salt,
) -> WebhookWithSecret:
    """A new secret; deliveries are signed with the one before it as well for OVERLAP.

    Raises NotFound.
    """
    salt = make_salt()
    secret = derive_secret(master, salt)

    def rotate(conn: Connection) -> Webhook:
        was = endpoints.lock_webhook(conn, webhook_id)
        check(was)
        values = {
            "salt": salt,
            "secret_digest": digest_webhook_secret(secret),
            "old_salt": was.salt,
            "old_salt_until": now + OVERLAP,
        }
        rotated = endpoints.change_webhook(conn, webhook_id, values)
        ends_at = {"old_ends_at": (now + OVERLAP).isoformat()}
        add_audit(conn, who, "webhook.rotate-secret", str(webhook_id), ends_at, now)
        close_alert(conn, UNSIGNED, str(webhook_id), now=now)
        return rotated

    return WebhookWithSecret(await database.write(rotate), show_secret(secret))


async def remove_webhook(
    database: Database,
    webhook_id: int,
    *,
    check: CheckWebhook = accept,
    who: str,
    now: datetime,
) -> None:
    """Its deliveries go with it. Raises NotFound."""

    def remove(conn: Connection) -> None:
        was = endpoints.lock_webhook(conn, webhook_id)
        check(was)
        endpoints.remove_webhook(conn, webhook_id)
        add_audit(conn, who, "webhook.remove", str(webhook_id), {"url": was.url}, now)
        for kind in (DISABLED, UNSIGNED):
            close_alert(conn, kind, str(webhook_id), now=now)

    await database.write(remove)


def _read(values: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """The values as they are stored. Raises InvalidInput."""
    read = dict(values)
    if "url" in read:
        read["url"] = read_webhook_url(read["url"], rules.networks)
    if "types" in read:
        read["types"] = _read_types(read["types"])
    if "numbers" in read:
        if len(read["numbers"]) > MOST_NUMBERS:
            raise InvalidInput(f"choose at most {MOST_NUMBERS} numbers", field="numbers")
        numbers = (normalise_number(each, rules.region) for each in read["numbers"])
        read["numbers"] = list(dict.fromkeys(numbers))
    return read


def _read_types(types: Sequence[str]) -> list[str]:
    unknown = [each for each in types if each not in TYPES]
    if unknown:
        known = ", ".join(TYPES)
        raise InvalidInput(f"there is no type {unknown[0]!r}; they are {known}", field="types")
    if not types:
        raise InvalidInput("choose at least one type of event", field="types")
    return [each for each in TYPES if each in types]
