"""The application with the simulated provider behind it, and its senders run by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.flows.outbound.sending.send import Sender, SendPolicy
from app.flows.outbound.sending.sync import Checker
from app.storage.outbound.sending.expiry import end_leases
from app.storage.rules.opt_outs import add_opt_out
from tests.api.running import Running, running
from tests.conftest import NOW
from tests.support.outbox import claim_due, run_dry
from tests.support.simulated import ADA, LONDON, Simulated, simulated_in_process

SHOP = "447700900100"
ABROAD = "12015550123"


@dataclass
class Post:
    """The application, with the provider behind it and senders run by hand."""

    api: Running
    provider: Simulated

    @property
    def now(self) -> datetime:
        return self.api.clock.now

    async def send(self, to: Any = ADA, *, key: str | None = None, **fields: Any) -> Any:
        """What POST /outbound answers to a text that is queued."""
        answer = await self.try_to_send(to, key=key, **fields)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def try_to_send(
        self, to: Any = ADA, *, key: str | None = None, **fields: Any
    ) -> httpx2.Response:
        body = {"source": SHOP, "body": "Hello", **({"to": to} if to is not None else {}), **fields}
        headers = {"Idempotency-Key": key} if key else {}
        return await self.api.call("POST", "/outbound", json=body, headers=headers)

    async def find(self, **params: Any) -> list[str]:
        return [each["id"] for each in (await self.api.read("/outbound", params=params))["items"]]

    async def deliver(self) -> None:
        """Send all that is due to the provider."""
        runtime = self.api.runtime
        sender = Sender(
            runtime.database,
            self.provider.client,
            SendPolicy(per_second=1000, concurrency=8, batch=100, zone=LONDON),
            runtime.metrics,
            on_change=runtime.announce_texts,
            draw=lambda: 1.0,
            now=self.api.clock,
            seconds=lambda: 0.0,
        )
        await run_dry(sender)

    async def check(self) -> None:
        """Ask the provider what became of it all."""
        runtime = self.api.runtime
        checker = Checker(
            runtime.database,
            self.provider.client,
            LONDON,
            runtime.metrics,
            on_change=runtime.announce_texts,
            now=self.api.clock,
        )
        await checker.check_due()

    async def make_uncertain(self, *, sending: bool = False) -> None:
        """Claim what is due and never say what came of it; without `sending` that is found out."""
        write, now = self.api.runtime.database.write, self.api.clock.now
        if sending:
            await write(claim_due, now=now)
        else:
            await write(end_leases, now + timedelta(seconds=101))

    async def list_deeds(self) -> list[str]:
        """What the audit holds, oldest first."""
        found = (await self.api.read("/audit"))["items"]
        return [each["action"] for each in found][::-1]

    def wait(self, **time: float) -> None:
        self.api.clock.now += timedelta(**time)
        self.provider.stopwatch.seconds += timedelta(**time).total_seconds()

    async def opt_out(self, number: str) -> None:
        await self.api.runtime.database.write(
            add_opt_out, number, reason="person", text="by phone", now=NOW
        )


@asynccontextmanager
async def open_post(database_url: str, folder: Path) -> AsyncIterator[Post]:
    async with (
        simulated_in_process() as provider,
        running(database_url, folder, provider=provider.client) as api,
    ):
        yield Post(api, provider)
