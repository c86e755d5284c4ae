"""Runs the delivery of webhooks by hand, with a clock that a test moves."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.api.webhooks.subjects import render_subject
from app.domain.inbound.messages import InboundMessage
from app.flows.inbound.handle import handle_batch
from app.flows.operations.processes.metrics import Metrics
from app.flows.webhooks.configure_webhooks import (
    Rules,
    WebhookWithSecret,
    add_webhook,
)
from app.flows.webhooks.deliver_webhooks import Courier
from app.network.caller import EndpointCaller
from app.storage.db.database import Database
from app.storage.db.wakeups import Wakeups
from app.storage.inbound.inbound import make_inserter
from app.storage.operations.alerts import list_alerts
from app.storage.webhooks.deliveries import Delivery, list_deliveries
from app.storage.webhooks.endpoints import Webhook, get_webhook
from tests.conftest import NOW
from tests.support.endpoints.receiver import Received, Reply

LOCAL = (ipaddress.ip_network("127.0.0.0/8"),)
RULES = Rules(LOCAL, "GB")
MASTER = "a-key-of-the-tests-with-at-least-32-characters"
TURNS_AT_MOST = 2_000
WHO = "test"
RECEIVED = ["message.received"]


@dataclass
class MailRoom:
    """A database with the courier of one process, or of several."""

    database: Database
    wakeups: Wakeups
    now: datetime = NOW
    total_seconds: float = 20.0
    couriers: list[Courier] = field(default_factory=list)

    def hire(self, *, master: str = MASTER) -> Courier:
        """The courier of another process."""
        courier = Courier(
            self.database,
            self.wakeups,
            EndpointCaller(LOCAL, total_seconds=self.total_seconds),
            render_subject,
            master,
            Metrics(),
            now=lambda: self.now,
            draw=lambda: 0.5,
        )
        self.couriers.append(courier)
        return courier

    async def add(self, url: str, **options: Any) -> WebhookWithSecret:
        return await add_webhook(
            self.database, url, rules=RULES, master=MASTER, who=WHO, now=self.now, **options
        )

    async def store(self, *messages: InboundMessage) -> None:
        """Have texts come in, and handle them."""
        inserter = make_inserter(self.database)
        await inserter.insert(messages, self.now)
        inserter.abandon()
        while await self.database.write(handle_batch, self.now):
            pass
        self.wakeups.notify("events")

    async def settle(self, *couriers: Courier) -> None:
        """Take turns until nothing moves: no call is under way and nothing is due."""
        some = couriers or tuple(self.couriers)
        quiet = 0
        async with asyncio.timeout(60):
            for _ in range(TURNS_AT_MOST):
                for courier in some:
                    await self.turn(courier)
                busy = [courier for courier in some if courier.calls or _has_results(courier)]
                quiet = 0 if busy else quiet + 1
                if quiet > 2:
                    return
                calls = [call for courier in some for call in courier.calls]
                if calls:
                    await asyncio.wait(calls, return_when="FIRST_COMPLETED")
        raise AssertionError("it never settles")

    async def turn(self, courier: Courier) -> None:
        """A turn that does all that is due now, however little time has passed."""
        self.wakeups.notify("webhooks")
        self.wakeups.notify("events")
        courier.record_at_once()
        await courier.turn()

    def sleep(self, **parts: float) -> None:
        self.now += timedelta(**parts)

    async def read(self, webhook: Webhook | WebhookWithSecret) -> Webhook:
        found = webhook if isinstance(webhook, Webhook) else webhook.webhook
        return await self.database.read(get_webhook, found.id)

    async def list_deliveries(self, made: WebhookWithSecret) -> Sequence[Delivery]:
        """Oldest first."""
        found = await self.database.read(list_deliveries, made.webhook.id, before=None, limit=5_000)
        return found[::-1]


def _has_results(courier: Courier) -> bool:
    return any(lane.results for lane in courier.lanes.values())


@asynccontextmanager
async def open_mail_room(database: Database, **options: Any) -> AsyncIterator[MailRoom]:
    wakeups = Wakeups(database)
    room = MailRoom(database, wakeups, **options)
    try:
        yield room
    finally:
        for courier in room.couriers:
            await courier.drain(0)
        await wakeups.close()


def answer_in_turn(*replies: Reply) -> Callable[[Received], Reply]:
    """Each reply once, then 200."""
    left: Iterator[Reply] = iter(replies)
    return lambda _: next(left, Reply())


async def list_alert_kinds(room: MailRoom, *, is_open: bool = True) -> list[str]:
    found = await room.database.read(list_alerts, before=None, limit=50, is_open=is_open)
    return [alert.kind for alert in found]
