"""Half a year of traffic with KEEP_DAYS: after the first months no table and no folder grows."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from app.flows.access.sign_in import Browser, make_login_link, use_login_link
from app.flows.operations import retain
from app.flows.operations.alarms.credit_monitor import CreditMonitor
from app.flows.operations.retain import remove_old
from app.flows.outbound.batches.send_batch import advance_batches
from app.flows.outbound.sending.send import Sender
from app.flows.outbound.sending.sync import Checker
from app.storage.db.database import Connection
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.outbound.sending.expiry import expire_overdue
from app.storage.outbound.text_search import index_texts
from app.storage.tables.operations import alerts
from tests.flows.webhooks.mail_room import MailRoom
from tests.support.clock import NOW
from tests.support.endpoints.receiver import receiving
from tests.support.kit import Kit, open_kit
from tests.support.outbox import RUNNING, run_dry
from tests.support.simulated import LONDON, Simulated, simulated_in_process
from tests.support.storage.spools import write_dead_spool

KEEP = timedelta(days=30)
OURS = "447700900001"

# What grows, and why: see the page about data.
GROWS = {
    "audit": "that somebody did something stays",
    "daily_counts": "a few rows a day",
    "opt_outs": "must hold",
}
# With KEEP_DAYS=0, the default: the texts themselves, and what belongs to them.
GROWS_FOREVER = {
    "batches",
    "conversation_notes",
    "conversations",
    "message_index",
    "messages",
    "outbound",
    "provider_messages",
    "send_attempts",
    "status_changes",
}
SEARCHES = {"message_search", "outbound_search"}
_SEARCH = re.compile("(message|outbound)_search_(data|idx)")
MOST_SEGMENTS = 20


@dataclass
class Life:
    """A service whose clock stands until a step is taken, and the flows of its workers."""

    kit: Kit
    provider: Simulated
    room: MailRoom
    step: timedelta = timedelta(days=10)
    keeps: bool = False
    steps: int = 0

    @property
    def now(self) -> Any:
        return NOW + self.steps * self.step

    async def live(self) -> None:
        """What happens within a step, and what the workers make of it; the same each time."""
        await self._receive()
        await self._write()
        await self._work()
        self.steps += 1
        self.provider.pass_seconds(self.step.total_seconds())

    async def _receive(self) -> None:
        kit, each = self.kit, self.steps
        stranger = f"4477009001{each % 100:02d}"
        await kit.forward(f"{each}-1", source="447700900011", dest=OURS, msg="hours please")
        await kit.forward(f"{each}-2", source=stranger, dest=OURS, msg=f"word{each}", name="Ada")
        await kit.forward(f"{each}-3", source=f"4477009002{each % 100:02d}", msg="STOP")
        await kit.forward(f"{each}-4", auth="wrong")
        if each % 5 == 0:
            write_dead_spool(
                kit.runtime.settings.data_dir / "spool", [b"no record"], name=f"x.{each}"
            )
            await kit.runtime.intake.drain_abandoned()  # type: ignore[union-attr]
        await kit.handle()

    async def _write(self) -> None:
        kit, each = self.kit, self.steps
        [talk, *_] = (await kit.get("/conversations"))["items"]
        await self._post(f"/conversations/{talk['id']}/notes", {"body": f"note {each}"})
        order = {"to": "447700900012", "source": OURS, "body": f"Hello {each}"}
        key = {"Idempotency-Key": f"key-{each}"}
        await self._post("/outbound", order, headers=key)
        batch = {
            "source": OURS,
            "body": "Hi {name}",
            "rows": [{"number": "447700900013", "name": "G"}],
        }
        await self._post("/batches", batch)
        database = kit.runtime.database
        link = await make_login_link(database, f"member {each % 3}", who="cli", now=self.now)
        await use_login_link(database, link, browser=Browser("", ""), now=self.now)
        await database.write(self._alert)

    def _alert(self, conn: Connection) -> None:
        raise_alert(conn, "loop-failing", f"{self.steps}", text="x", action="y", now=self.now)
        close_alert(conn, "loop-failing", f"{self.steps}", now=self.now)

    async def list_alerts(self) -> list[Any]:
        query = select(alerts.c.kind, alerts.c.subject, alerts.c.opened_at, alerts.c.text)
        read = self.kit.runtime.database.read
        return [*await read(lambda conn: conn.execute(query).all())]

    async def _post(self, path: str, body: dict[str, Any], **options: Any) -> None:
        answer = await self.kit.client.post(f"/api/v1{path}", json=body, **options)
        assert answer.is_success, answer.text

    async def _work(self) -> None:
        runtime, database = self.kit.runtime, self.kit.runtime.database
        await self.kit.handle()
        while await advance_batches(database, self.now):
            pass
        await run_dry(self._make_sender(), self._make_monitor().probe)
        await self._make_checker().check_due()
        await database.write(expire_overdue, self.now, limit=100)
        while await database.write(index_texts):
            pass
        while await database.write(MESSAGE_INDEX.optimize):
            pass
        await runtime.housekeeper.tick()
        if not self.keeps:
            await remove_old(database, KEEP, self.now)
        # Last: an event that nobody has read yet is too old once a step has passed.
        self.room.now = self.now
        await self.room.settle()

    def _make_sender(self) -> Sender:
        runtime = self.kit.runtime
        return Sender(
            runtime.database,
            self.provider.client,
            RUNNING,
            runtime.metrics,
            on_change=lambda: None,
            draw=lambda: 1.0,
            now=lambda: self.now,
            seconds=lambda: self.provider.stopwatch.seconds,
        )

    def _make_checker(self) -> Checker:
        runtime = self.kit.runtime
        return Checker(
            runtime.database,
            self.provider.client,
            LONDON,
            runtime.metrics,
            on_change=lambda: None,
            now=lambda: self.now,
        )

    def _make_monitor(self) -> CreditMonitor:
        runtime = self.kit.runtime
        return CreditMonitor(
            runtime.database,
            self.provider.client,
            runtime.settings.low_credits,
            runtime.metrics,
            on_change=lambda: None,
            now=lambda: self.now,
        )

    async def compare(self, steps: int) -> tuple[dict[str, int], dict[str, int]]:
        """What there is after so many steps, and after as many again."""
        for _ in range(steps):
            await self.live()
        early = await self.count()
        for _ in range(steps):
            await self.live()
        return early, await self.count()

    async def count(self) -> dict[str, int]:
        """The rows of every table that the database has, and the files of every folder."""
        # The service's own may have tidied already, or not yet.
        await self.kit.runtime.housekeeper.tick()
        counts = await self.kit.runtime.database.read(_count_rows)
        folder = self.kit.runtime.settings.data_dir
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {**counts, "files": len(files)}


def _count_rows(conn: Connection) -> dict[str, int]:
    """Those of the search indexes as well, which SQLAlchemy does not know."""
    return {
        name: conn.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
        for name in inspect(conn).get_table_names()
        # SQLite keeps these in tables of their own, which are counted too.
        if conn.dialect.name == "postgresql" or name not in SEARCHES
    }


@pytest.fixture
async def life(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Life]:
    monkeypatch.setattr(retain, "LONGEST_REST_SECONDS", 0.0)
    async with simulated_in_process() as provider, receiving() as endpoint:
        started: list[Life] = []
        clock = lambda: started[0].now if started else NOW  # noqa: E731
        async with open_kit(
            database_url, tmp_path / "data", provider.client, now=clock, keep_days=30
        ) as kit:
            room = MailRoom(kit.runtime.database, kit.runtime.wakeups)
            room.hire()
            await room.add(endpoint.url)
            started.append(Life(kit, provider, room))
            rule = {"name": "Hours", "keyword": "hours", "timezone": "UTC", "reply": "9 to 5"}
            await started[0]._post("/rules", rule)
            yield started[0]


async def test_with_keep_days_nothing_grows_after_three_months(life: Life) -> None:
    early, late = await life.compare(10)
    assert find_growing(early, late) == GROWS.keys()
    steps = KEEP // life.step + 1
    assert late["messages"] == 3 * steps
    assert (late["refusals"], late["conversation_notes"]) == (steps, steps)
    # Rows of batches are tidied like these, also between two removals.
    assert late["batch_rows"] == steps - 1
    assert late["alerts"] == steps + 1, await life.list_alerts()
    assert late["idempotency_keys"] == 0


async def test_with_keep_days_0_grows_what_people_want_to_keep_and_nothing_else(
    life: Life,
) -> None:
    life.keeps, life.step = True, timedelta(days=30)
    grown = find_growing(*await life.compare(4))
    # With the texts their indexes, which are tables of ours on PostgreSQL only.
    assert grown - SEARCHES == GROWS.keys() | GROWS_FOREVER


def find_growing(early: dict[str, int], late: dict[str, int]) -> set[str]:
    """The tables with more rows than before.

    SQLite merges its search indexes now and then, and a slow machine has a few events of its own.
    """
    grown = {name for name, count in late.items() if count > early[name]}
    uneven = {name for name in grown if _SEARCH.fullmatch(name) and late[name] < MOST_SEGMENTS}
    if late["events"] < 1.5 * early["events"]:
        uneven.add("events")
    return grown - uneven
