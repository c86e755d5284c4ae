"""A database with numbers and rules, into which texts come and are handled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.domain.outbound.requests import OutboundRequest
from app.domain.rules.answering import ReplyLimits
from app.domain.rules.rules import Rule
from app.flows.access import configure
from app.flows.inbound.handle import Handled, handle_batch
from app.storage.db.database import Connection, Database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.search import Message, get_messages
from app.storage.operations.events import read_events
from app.storage.outbound.outbox import Addressee
from app.storage.rules.rules import add_rule
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import outbound, status_changes
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.outbox import add_outbound

# The texts of most tests arrive at one moment, and are no parts of one text.
UNHURRIED = ReplyLimits(quiet=timedelta())
SENDER = "447700900001"
SHOP, BAR = "447700900100", "447700900101"


@dataclass
class Desk:
    """`now` is when things arrive and are handled, until a test moves it."""

    database: Database
    now: datetime = NOW
    count: int = 0

    async def add_rule(self, reply: str = "Hello {name|there}", **fields: Any) -> Rule:
        rule = Rule(**{"name": "test", "timezone": "UTC", "reply": reply, **fields})
        return await self.database.write(add_rule, rule, now=self.now)

    async def add_number(self, number: str = SHOP, **fields: Any) -> None:
        await configure.add_number(
            self.database, number, region="GB", who="cli:test", now=self.now, **fields
        )

    async def receive(self, *bodies: str, **fields: Any) -> list[int]:
        """Texts that arrive now; returns their ids."""
        batch = []
        for body in bodies:
            self.count += 1
            given = {"body": body, "received_at": self.now, "arrived_at": self.now, **fields}
            batch.append(make_message(self.count, **given))
        inserter = make_inserter(self.database)
        await inserter.insert(batch, self.now)
        inserter.abandon()
        keys = [each.dedupe_key for each in batch]
        found = select(messages.c.id).where(messages.c.dedupe_key.in_(keys)).order_by(messages.c.id)
        return await self.database.read(lambda conn: list(conn.execute(found).scalars()))

    async def handle(self, *, limit: int = 100, limits: ReplyLimits = UNHURRIED) -> list[Handled]:
        """Everything that waits, batch by batch."""
        done = []
        while step := await self.database.write(handle_batch, self.now, limit=limit, limits=limits):
            done.append(step)
        return done

    async def hear(self, *bodies: str, **fields: Any) -> list[str | None]:
        """Texts that arrive now and are handled; returns their outcomes."""
        ids = await self.receive(*bodies, **fields)
        await self.handle()
        return [message.outcome_code for message in await self.read(ids)]

    async def read(self, ids: Sequence[int]) -> list[Message]:
        found = await self.database.read(get_messages, ids)
        return [found[each] for each in ids]

    async def write_to(self, number: str, *, now: datetime | None = None, **fields: Any) -> int:
        """A person's text that waits to go out."""
        new = OutboundRequest(**{"source": SHOP, "body": "Hi", **fields})
        added = await self.database.write(add_outbound, new, Addressee(number), now or self.now)
        assert added is not None
        return added

    async def list_outbound(self) -> list[Any]:
        """The outbox, oldest first."""
        query = select(outbound).order_by(outbound.c.id)
        return await self.database.read(lambda conn: list(conn.execute(query)))

    async def list_bodies(self) -> list[str]:
        return [row.body for row in await self.list_outbound()]

    async def list_changes(self) -> list[tuple[int, str, str]]:
        table = status_changes.c
        query = select(table.outbound_id, table.status, table.source).order_by(table.id)
        return await self.database.read(lambda conn: [tuple(row) for row in conn.execute(query)])

    async def list_events(self) -> list[tuple[str, int]]:
        found = await self.database.read(read_events, after=0, limit=1000)
        return [(event.kind, event.subject_id) for event in found]

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


def set_status(conn: Connection, outbound_id: int, status: str) -> None:
    conn.execute(outbound.update().where(outbound.c.id == outbound_id).values(status=status))
