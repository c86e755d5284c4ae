"""The outbox with a simulated provider in process: real client, real database, no socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
from sqlalchemy import text

from app.domain.outbound.requests import OutboundRequest
from app.flows.operations.alarms.credit_monitor import CreditMonitor
from app.flows.operations.processes.metrics import Metrics
from app.flows.outbound.compose import compose_once
from app.flows.outbound.sending.resolve_uncertain import UncertainResolver
from app.flows.outbound.sending.send import Sender, SendPolicy
from app.flows.outbound.sending.sync import Checker
from app.provider.client import ProviderClient
from app.simulator.application import SimulatorApp, build_simulator
from app.simulator.state.clock import SimulatorClock
from app.simulator.state.config import AccountConfig, ListConfig, ListEntry, SimulatorConfig
from app.simulator.state.faults import Fault
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import list_alerts
from app.storage.outbound.history import list_changes
from app.storage.outbound.outbox import Addressee, add_replies
from app.storage.outbound.sending.claims import Claim, claim_texts
from app.storage.outbound.sending.sender import lock_sender
from tests.support.clock import NOW
from tests.support.transports import TransportPool

LONDON = ZoneInfo("Europe/London")
OURS = "447700900001"
ADA = "447700900011"
GRACE = "447700900012"
TOKEN = "demo-token"
CREDITS = Decimal(100_000)
RUNNING = SendPolicy(per_second=1000, concurrency=8, batch=100, zone=LONDON)

Row = Any


def add_outbound(
    conn: Connection, request: OutboundRequest, addressee: Addressee, now: datetime
) -> int | None:
    """Queue a text; None where the message has its automatic reply already."""
    return add_replies(conn, [(request, addressee)], now).get(request.in_reply_to)


def claim_due(
    conn: Connection,
    *,
    limit: int = 9,
    per_second: float = 1000,
    batch: int = 100,
    lease_seconds: float = 100,
    now: datetime | None = None,
) -> Claim:
    """Claim as a sender does; `now` is the database's where it is None."""
    state, locked_at = lock_sender(conn)
    return claim_texts(
        conn,
        state,
        now or locked_at,
        limit=limit,
        per_second=per_second,
        batch=batch,
        lease_seconds=lease_seconds,
    )


async def wait_for_calls(sender: Sender) -> None:
    if sender.calls:
        await asyncio.wait(sender.calls)


async def run_dry(sender: Sender, look: Callable[[], Awaitable[bool]] | None = None) -> int:
    """Send until nothing is due; returns how many calls were made. Raises Unavailable.

    `look` checks the credits if that must come first; it returns whether sending goes on.
    """
    made = 0
    while True:
        claim = await sender.turn()
        made += len(claim.calls)
        if claim.asks_credits and look is not None and await look():
            continue
        if sender.calls:
            await asyncio.wait(sender.calls, return_when=asyncio.FIRST_COMPLETED)
        elif not sender.results.finished and not claim.calls:
            return made


@dataclass
class Outbox:
    """Its clock stands until a test moves it, the provider's with it."""

    database: Database
    simulator: SimulatorApp
    client: ProviderClient
    seconds: list[float]
    changes: list[str] = field(default_factory=list)
    policy: SendPolicy = RUNNING
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def world(self) -> Any:
        return self.simulator.simulator.world

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds[0])

    def pass_seconds(self, seconds: float) -> None:
        self.seconds[0] += seconds

    def strike(self, kind: str, **how: Any) -> None:
        """The next Send goes wrong so."""
        fault = {"kind": kind, "action": "Send", "times": 1} | how
        self.world.faults.add(Fault.model_validate(fault))

    def make_sender(self, **changes: Any) -> Sender:
        return Sender(
            self.database,
            self.client,
            replace(self.policy, **changes),
            self.metrics,
            on_change=lambda: self.changes.append("notified"),
            draw=lambda: 1.0,
            now=self.now,
            seconds=lambda: self.seconds[0],
        )

    def make_checker(self) -> Checker:
        return Checker(
            self.database,
            self.client,
            LONDON,
            self.metrics,
            on_change=lambda: self.changes.append("notified"),
            now=self.now,
        )

    async def check(self) -> int:
        """Ask what became of all that is due; returns how many texts that were."""
        return await self.make_checker().check_due()

    async def settle(self, *, proof_seconds: int = 600) -> int:
        """Look for proofs of all uncertain texts that are due; returns how many are settled."""
        resolver = UncertainResolver(
            self.database,
            self.client,
            LONDON,
            "GB",
            proof_seconds,
            self.metrics,
            on_change=lambda: self.changes.append("notified"),
            now=self.now,
        )
        return await resolver.resolve_due()

    async def queue(self, to: str | None = ADA, **changes: Any) -> int:
        new = replace(OutboundRequest(OURS, "Hello"), **changes)
        addressee = Addressee(to, is_forced=new.force)
        added = await self.database.write(add_outbound, new, addressee, self.now())
        assert added is not None
        return added

    async def queue_alone(self, numbers: Sequence[str], **changes: Any) -> None:
        """A text of its own to each number, all in one transaction."""
        new = replace(OutboundRequest(OURS, "Hello"), **changes)

        def queue(conn: Connection) -> None:
            for each in numbers:
                add_outbound(conn, new, Addressee(each, is_forced=new.force), self.now())

        await self.database.write(queue)

    async def queue_many(self, numbers: Sequence[str], **changes: Any) -> list[int]:
        """What one request to many numbers makes of them."""
        wanted = OutboundRequest(source=OURS, body="Hello", to=list(numbers))
        composed = await compose_once(
            self.database,
            replace(wanted, **changes),
            None,
            lambda queued: {"ids": [each.id for each in queued.texts]},
            who="key:test",
            region="GB",
            zone=LONDON,
            now=self.now(),
        )
        return list(composed.answer["ids"])

    async def send(self, **changes: Any) -> int:
        """Send all that is due; returns how many calls that took.

        As in a process that sends, the credits are looked at where that is to come first.
        """
        return await run_dry(self.make_sender(**changes), self.make_watcher().probe)

    def make_watcher(self, client: ProviderClient | None = None) -> CreditMonitor:
        return CreditMonitor(
            self.database,
            client or self.client,
            Decimal(50),
            self.metrics,
            on_change=lambda: self.changes.append("notified"),
            now=self.now,
        )

    def make_client(
        self,
        answer: Callable[[httpx2.Request], httpx2.Response]
        | Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]],
    ) -> ProviderClient:
        """The client of a provider that answers so."""
        url, pool = "http://provider.example.com/api", TransportPool(httpx2.MockTransport(answer))
        return ProviderClient(TOKEN, url=url, zone=LONDON, pool=pool)

    async def send_to(self, answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
        """Send to a provider that answers so, whatever is asked."""
        async with self.make_client(answer) as client:
            sender = self.make_sender()
            sender.client = client
            await run_dry(sender, self.make_watcher(client).probe)

    async def fetch(self, sql: str) -> Sequence[Row]:
        return await self.database.read(lambda conn: conn.execute(text(sql)).all())

    async def status(self, number: int) -> str:
        return str((await self.fetch(f"SELECT status FROM outbound WHERE id = {number}"))[0][0])

    async def statuses(self, numbers: Sequence[int]) -> list[str]:
        return [await self.status(each) for each in numbers]

    async def row(self, number: int) -> Row:
        return (await self.fetch(f"SELECT * FROM outbound WHERE id = {number}"))[0]

    async def ids(self, number: int) -> list[str]:
        rows = await self.fetch(
            f"SELECT provider_id FROM provider_messages WHERE outbound_id = {number} ORDER BY id"
        )
        return [str(row[0]) for row in rows]

    async def history(self, number: int) -> list[tuple[str, str, str | None]]:
        """Each change of a status: the status, who told it, and the provider's word."""
        changes = await self.database.read(list_changes, number)
        return [(each.status, each.source, each.provider_status) for each in changes]

    async def alerts(self) -> list[str]:
        """The kinds of the open alerts."""
        found = await self.database.read(list_alerts, before=None, limit=50, is_open=True)
        return [alert.kind for alert in found]

    def sends(self) -> list[list[str]]:
        """The numbers of each Send that was called."""
        calls = [each for each in self.world.calls.recent if each.action == "Send"]
        return [each.parameters["DestinationAddress"].split(",") for each in calls]

    def taken(self) -> list[tuple[str, str]]:
        """The destination and body of every text that the provider took."""
        return [(each.destination, each.body) for each in self.world.outgoing.texts]


def make_config(**changes: Any) -> SimulatorConfig:
    people = (ListEntry(number=ADA, name="Ada"), ListEntry(number=GRACE, name="Grace"))
    lists = (
        ListConfig(name="people", username="demo", entries=people),
        ListConfig(name="mixed", username="demo", entries=(*people, ListEntry(number="nonsense"))),
    )
    accounts = (AccountConfig(username="demo", token=TOKEN, admin=True, credits=CREDITS),)
    return SimulatorConfig(accounts=accounts, lists=lists, **changes)


@asynccontextmanager
async def open_outbox(database: Database, **switches: Any) -> AsyncIterator[Outbox]:
    seconds = [0.0]
    clock = SimulatorClock(NOW, seconds=lambda: seconds[0])
    app = build_simulator(make_config(), clock)
    app.simulator.world.switches = app.simulator.world.switches.changed(switches)
    client = ProviderClient(
        TOKEN,
        url="http://provider.test/api",
        zone=LONDON,
        concurrency=32,
        pool=TransportPool(httpx2.ASGITransport(app)),
    )
    async with client:
        yield Outbox(database, app, client, seconds)
