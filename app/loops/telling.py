"""Tells programs and people what happens: webhooks and notifications."""

import secrets

from app.domain.access.sealing import Sealer
from app.flows.operations.changes import Render
from app.flows.operations.notifications.deliver_notice import Deliverer
from app.flows.operations.notifications.notify import Notifier
from app.flows.operations.processes.supervise import Work
from app.flows.webhooks.deliver_webhooks import Courier
from app.loops import pace
from app.network.caller import EndpointCaller
from app.runtime import Runtime


class Delivering(Work):
    """Delivers events to webhooks as they happen."""

    def __init__(self, runtime: Runtime, render: Render) -> None:
        intake = runtime.intake
        self._courier = Courier(
            runtime.database,
            runtime.wakeups,
            EndpointCaller(runtime.settings.webhook_networks),
            render,
            runtime.secrets.api_key,
            runtime.metrics,
            now=runtime.now,
            draw=secrets.SystemRandom().random,
            on_change=runtime.announce_changes,
            is_busy=lambda: intake is not None and intake.is_busy,
        )

    async def turn(self) -> None:
        await self._courier.turn()

    async def rest(self) -> None:
        await self._courier.rest()

    async def end(self) -> None:
        await self._courier.drain()


class Notifying(Work):
    """Tells people what happens; at the end gives messages on their way a moment."""

    rest_seconds = pace.POLL_SECONDS

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        self._notifier = Notifier(
            runtime.database,
            Sealer(runtime.secrets.api_key),
            [address.get_secret_value() for address in settings.notify],
            settings.base_url,
            Deliverer().deliver,
            runtime.metrics,
            on_change=runtime.announce_changes,
            now=runtime.now,
        )

    async def turn(self) -> None:
        await self._notifier.turn()

    async def end(self) -> None:
        await self._notifier.end()
