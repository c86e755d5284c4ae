"""A notifier, a server that it tells, and a clock that a test moves."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.domain.access.sealing import Sealer
from app.domain.operations.notify_addresses import Wishes
from app.flows.inbound.handle import handle_batch
from app.flows.operations.notifications import manage_notify
from app.flows.operations.notifications.deliver_notice import Deliverer
from app.flows.operations.notifications.notify import FAILING, Notifier
from app.flows.operations.processes.metrics import Metrics
from app.storage.db.database import Database
from app.storage.inbound.inbound import make_inserter
from app.storage.operations.alerts import close_alert, list_open_alerts, raise_alert
from app.storage.operations.notify_addresses import NotifyAddress, get_address
from tests.support.clock import NOW
from tests.support.endpoints.notify_target import NotifyTarget
from tests.support.messages import make_message

BASE = "https://texts.example.com"
WHO = "session:Ada"
SEALER = Sealer("a-master-of-the-tests")


@dataclass
class Bench:
    """A notifier, a target, and a clock that stands still until a test moves it."""

    database: Database
    target: NotifyTarget
    now: datetime = NOW
    messages: int = 0
    notifiers: list[Notifier] = field(default_factory=list)

    def make_notifier(self, *configured: str, deliver: Any = None, seconds: float = 5) -> Notifier:
        made = Notifier(
            self.database,
            SEALER,
            configured,
            BASE,
            deliver or Deliverer(seconds).deliver,
            Metrics(),
            on_change=lambda: None,
            now=lambda: self.now,
        )
        self.notifiers.append(made)
        return made

    async def add(self, name: str, **wishes: Any) -> NotifyAddress:
        return await self.database.write(
            manage_notify.add_address,
            SEALER,
            self.target.address(name),
            "",
            Wishes(**wishes),
            who=WHO,
            now=self.now,
            is_tested=False,
        )

    async def open_alert(self, subject: str, kind: str = "disk-full") -> None:
        await self.database.write(
            raise_alert, kind, subject, text=f"{subject} is full.", action="Free it.", now=self.now
        )

    async def close_alert(self, subject: str, kind: str = "disk-full") -> None:
        await self.database.write(close_alert, kind, subject, now=self.now)

    async def receive(self, **changes: Any) -> None:
        self.messages += 1
        inserter = make_inserter(self.database)
        changes = {"arrived_at": self.now, **changes}
        await inserter.insert([make_message(self.messages, **changes)], self.now)
        inserter.abandon()
        while await self.database.write(handle_batch, self.now):
            pass

    async def run(self, notifier: Notifier | None = None) -> None:
        """One turn of a process, and whatever it began."""
        notifier = notifier or (self.notifiers[-1] if self.notifiers else self.make_notifier())
        await notifier.turn()
        await notifier.settle()

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    async def list_failing(self) -> list[str]:
        return [each.subject for each in await self.database.read(list_open_alerts, FAILING)]

    async def read(self, address: NotifyAddress) -> NotifyAddress:
        return await self.database.read(get_address, address.id)
