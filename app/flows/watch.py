"""Watches the account's credits, and by them whether an account that failed works again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from app.domain.errors import ProviderError
from app.flows.metrics import Metrics
from app.flows.take_turns import take_turn
from app.provider.client import ProviderClient
from app.storage.database import Connection, Database
from app.storage.leases import find_last_success
from app.storage.sender import note_credits, resume_sender, tell_works

LEASE = "credits"
EVERY = timedelta(minutes=10)

log = structlog.get_logger("letterbox.watch")


@dataclass
class Watcher:
    """One a process; an alert is open while there are fewer credits than `low_below`."""

    database: Database
    client: ProviderClient
    low_below: Decimal
    metrics: Metrics
    on_change: Callable[[], None]
    now: Callable[[], datetime]

    async def look_if_due(self) -> None:
        """Look, where nobody has for a while. Raises Unavailable."""
        last = await self.database.read(find_last_success, LEASE)
        if last is not None and self.now() < last + EVERY:
            return
        async with take_turn(self.database, LEASE, now=self.now) as is_mine:
            if is_mine:
                await self.look()

    async def probe(self) -> bool:
        """Look, and let sending go on where that shows an account with credits; returns whether.

        For where sending has stopped and no text is there to try with. Raises Unavailable.
        """
        return await self.look(resumes=True)

    async def look(self, *, resumes: bool = False) -> bool:
        """Note the balance; returns whether sending goes on by it. Raises Unavailable."""
        self.metrics.calls.labels("credits").inc()
        try:
            balance = await self.client.check_credits()
        except ProviderError as error:
            log.info("credits_unknown", error=str(error))
            return False
        resumed = await self.database.write(self._note, balance, resumes=resumes)
        self.on_change()
        return resumed

    def _note(self, conn: Connection, balance: Decimal, *, resumes: bool) -> bool:
        now = self.now()
        resumed = resumes and balance > 0 and resume_sender(conn, "sender", now, only_stopped=True)
        note_credits(conn, balance, low_below=self.low_below, now=now)
        if resumed:
            tell_works(conn, now)
        return resumed
