"""What arrived against the report of a simulated provider, on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from app.domain.errors import Conflict
from app.domain.inbound.queries import MessageFilter
from app.domain.provider_errors import ProviderError
from app.flows.inbound.handle import handle_batch
from app.flows.inbound.reconcile import Reconciler, Reconciliation
from app.flows.operations.erasures.remove_message import remove_message
from app.provider.forwards.forwarding import parse, read_request
from app.storage.db.database import Connection, Database, open_database
from app.storage.inbound.inbound import make_inserter
from app.storage.inbound.reconciling import store_reported
from app.storage.inbound.search import list_messages
from app.storage.operations.alerts import list_alerts
from app.storage.operations.leases import take_lease
from app.storage.operations.processes import GONE_AFTER, Process, note_process
from app.storage.operations.stats import count_days
from tests.conftest import NOW
from tests.support.messages import make_message
from tests.support.simulated import (
    ADA,
    GRACE,
    LONDON,
    OUR_NUMBER,
    START,
    Simulated,
    make_client,
    simulated_in_process,
)
from tests.support.storage.overlap import overlap
from tests.support.transports import TransportPool


class World:
    """A provider, what it forwarded to us, and the flow between."""

    def __init__(self, provider: Simulated, database: Database) -> None:
        self.provider = provider
        self.database = database
        self.control = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(provider.app), base_url="http://provider.test"
        )
        self.reconciler = self.make_reconciler()

    def make_reconciler(self) -> Reconciler:
        return Reconciler(
            self.database,
            self.provider.client,
            zone=LONDON,
            region="GB",
            now=self.now,
        )

    def damage_report(self) -> None:
        """From now on the report has a question mark for whatever is not ASCII."""
        app = httpx2.ASGITransport(self.provider.app)

        class Damaging(httpx2.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                response = await app.handle_async_request(request)
                text = (await response.aread()).decode()
                return httpx2.Response(200, content=text.encode("ascii", "replace"))

        self.provider.client = make_client(
            "http://provider.test/api", pool=TransportPool(Damaging())
        )
        self.reconciler = self.make_reconciler()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.provider.stopwatch.seconds)

    def pass_minutes(self, minutes: float) -> None:
        self.provider.pass_seconds(minutes * 60)

    async def text(self, body: str, *, source: str = ADA, forward: bool = True) -> dict[str, str]:
        """Somebody texts our number; a lost one is only in the provider's report."""
        order = {"source": source, "dest": OUR_NUMBER, "body": body}
        answer = await self.control.post("/_simulator/texts", json=order)
        assert answer.status_code == 201, answer.text
        text: dict[str, str]
        [text] = answer.json()
        if forward:
            await self.forward(text)
        return text

    async def forward(self, text: dict[str, str]) -> None:
        received = datetime.fromisoformat(text["received_at"]).astimezone(LONDON)
        fields = {
            "source": text["source"],
            "dest": text["dest"],
            "msg": text["body"],
            "id": text["id"],
            "receivedts": f"{received:%Y-%m-%d %H:%M:%S}",
        }
        query = str(httpx2.QueryParams(fields)).encode()
        request = read_request("GET", query, b"", b"")
        message = parse(request.raw, zone=LONDON, region="GB", arrived_at=self.now(), nonce=b"")
        inserter = make_inserter(self.database)
        await inserter.insert([message], self.now())
        inserter.abandon()
        await self.handle()

    async def handle(self) -> None:
        while await self.database.write(handle_batch, self.now()):
            pass

    async def list_texts(self) -> list[tuple[str, str]]:
        page = await self.database.read(list_messages, MessageFilter(), before=None, limit=500)
        return sorted((message.body, message.via) for message in page.messages)

    async def erase(self, body: str) -> None:
        """Delete the texts that say this, and nothing else."""
        self.database.digest_key.key = b"a key of this test"
        page = await self.database.read(list_messages, MessageFilter(), before=None, limit=500)
        for message in page.messages:
            if message.body == body:
                await remove_message(self.database, message.id, who="test", now=self.now())

    async def list_alerts(self) -> list[str]:
        found = await self.database.read(list_alerts, before=None, limit=50, is_open=True)
        return sorted(alert.kind for alert in found)

    async def look_back(self, hours: float = 3) -> Reconciliation:
        return await self.reconciler.run_window(self.now() - timedelta(hours=hours), self.now())


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with simulated_in_process() as provider:
        made = World(provider, database)
        async with made.control:
            yield made


@pytest.mark.parametrize("ids", ["same", "other"])
async def test_a_lost_text_is_stored_and_nothing_is_doubled(world: World, ids: str) -> None:
    world.provider.throw(inbound_ids=ids)
    await world.text("one")
    await world.text("yes")
    await world.text("yes", forward=False)
    await world.text("yes", source=GRACE)
    await world.text("two", forward=False)
    world.pass_minutes(15)
    first = await world.look_back()
    assert (first.reported, first.missing) == (5, 2)
    await world.handle()
    assert await world.list_texts() == [
        ("one", "forward"), ("two", "report"), ("yes", "forward"), ("yes", "forward"),
        ("yes", "report"),
    ]  # fmt: skip
    again = await world.look_back()
    assert (again.reported, again.missing) == (5, 0)
    assert await world.list_alerts() == ["messages-missing"]


async def test_the_first_run_begins_at_the_installation(world: World) -> None:
    await world.text("before", forward=False)
    world.pass_minutes(30)
    assert (await world.reconciler.run()) is not None
    await world.text("after", forward=False)
    world.pass_minutes(5)
    soon = await world.reconciler.run()
    assert soon is not None
    assert soon.reported == 0, "texts of the last ten minutes may be on their way"
    world.pass_minutes(6)
    result = await world.reconciler.run()
    assert result is not None
    assert (result.reported, result.missing) == (1, 1)
    await world.handle()
    assert await world.list_texts() == [("after", "report")]


async def test_what_forwards_and_report_count_is_in_the_daily_counts_once(world: World) -> None:
    await world.reconciler.run()
    world.pass_minutes(1)
    await world.text("forwarded")
    await world.text("lost", forward=False)
    for _ in range(4):
        world.pass_minutes(11)
        await world.reconciler.run()
        await world.handle()
    [day] = await world.database.read(count_days, since=None, until=None, number=None)
    assert day.counts == {"received": 2, "reported": 2, "missing": 1, "fetched": 1}


async def test_one_runs_at_a_time(world: World) -> None:
    taken = await world.database.write(
        take_lease, "reconcile", "another", seconds=30, now=world.now()
    )
    assert taken
    assert await world.reconciler.run() is None
    with pytest.raises(Conflict, match="going on"):
        await world.look_back()
    world.pass_minutes(2)
    assert await world.reconciler.run() is not None, "a runner that died holds it for a while only"


async def test_messages_on_their_way_are_waited_for(world: World) -> None:
    process = Process("p", "web", "host", 1, world.now(), world.now(), 3, runs_workers=True)
    await world.database.write(note_process, process)
    assert await world.reconciler.run() is None
    with pytest.raises(Conflict, match="wait in a spool"):
        await world.look_back()
    world.pass_minutes(GONE_AFTER.total_seconds() / 60 + 1)
    assert await world.reconciler.run() is not None, "nobody waits for a process that is gone"


async def test_a_report_that_cannot_be_read_is_alerted_until_it_can(world: World) -> None:
    await world.reconciler.run()
    world.pass_minutes(20)
    answer = await world.control.post("/_simulator/faults", json=[{"kind": "html", "times": 1}])
    assert answer.status_code < 300, answer.text
    with pytest.raises(ProviderError):
        await world.reconciler.run()
    assert await world.list_alerts() == ["reconcile-failed"]
    assert await world.reconciler.run() is not None
    assert await world.list_alerts() == []


async def test_in_the_hour_that_autumn_repeats_nothing_is_doubled(world: World) -> None:
    night = datetime(2026, 10, 25, 0, 20, tzinfo=UTC)
    world.provider.pass_seconds((night - START).total_seconds())
    for _ in range(6):
        await world.text("tick")
        world.pass_minutes(20)
    result = await world.look_back(hours=6)
    assert (result.reported, result.missing) == (6, 0)


@pytest.mark.parametrize("ids", ["same", "other"])
async def test_a_row_that_lost_characters_is_the_text_that_was_forwarded(
    world: World, ids: str
) -> None:
    world.provider.throw(inbound_ids=ids)
    for body in ("Thanks 😀", "It\u2019s £5", "Привет"):
        await world.text(body)
    world.damage_report()
    world.pass_minutes(15)
    result = await world.look_back()
    assert (result.reported, result.missing, result.unreadable) == (3, 0, 0)
    assert await world.list_alerts() == []


@pytest.mark.parametrize("ids", ["same", "other"])
async def test_a_forward_that_comes_after_its_damaged_row_is_a_repeat(
    world: World, ids: str
) -> None:
    world.provider.throw(inbound_ids=ids)
    answer = await world.control.post(
        "/_simulator/texts", json={"source": ADA, "dest": OUR_NUMBER, "body": "Thanks 😀"}
    )
    world.damage_report()
    world.pass_minutes(15)
    assert (await world.look_back()).missing == 1
    await world.handle()
    [text] = answer.json()
    await world.forward(text)
    [day] = await world.database.read(count_days, since=None, until=None, number=None)
    assert day.counts["received"] == 1


async def test_a_window_that_broke_off_and_is_repeated_counts_once(world: World) -> None:
    await world.reconciler.run()
    for _ in range(4):
        world.pass_minutes(60 * 5)
        await world.text("forwarded")
        await world.text("lost", forward=False)
    world.pass_minutes(60)
    for whole_slices in (1, 2, 3):
        fault = {"kind": "status", "action": "Report", "times": 1, "skip": whole_slices}
        answer = await world.control.post("/_simulator/faults", json=[fault])
        assert answer.status_code < 300, answer.text
        with pytest.raises(ProviderError):
            await world.reconciler.run()
        await world.handle()
        world.pass_minutes(5)
    assert await world.reconciler.run() is not None
    await world.handle()
    days = await world.database.read(count_days, since=None, until=None, number=None)
    assert sum(day.counts["reported"] for day in days) == 8
    assert sum(day.counts["missing"] for day in days) == 4


async def test_texts_of_the_report_take_their_ids_one_transaction_after_the_other(
    postgres_url: str,
) -> None:
    """Else who follows the ids could pass one that is committed later."""
    database = open_database(postgres_url, Path())
    first, second = make_message(1, via="report"), make_message(2, via="report")

    def store(conn: Connection) -> None:
        assert store_reported(conn, [first], NOW) == [first]

    def store_another(conn: Connection) -> list[int]:
        assert store_reported(conn, [second], NOW) == [second]
        return list(conn.execute(text("SELECT id FROM messages ORDER BY id")).scalars())

    assert len(await overlap(database, store, store_another)) == 2
    await database.close()


@pytest.mark.parametrize("ids", ["same", "other"])
async def test_an_erased_text_does_not_come_back(world: World, ids: str) -> None:
    world.provider.throw(inbound_ids=ids)
    await world.text("erase this")
    await world.text("keep this")
    await world.text("erase this, which was lost", forward=False)
    world.pass_minutes(30)
    assert (await world.look_back()).missing == 1
    await world.handle()
    await world.erase("erase this")
    await world.erase("erase this, which was lost")
    assert (await world.look_back()).missing == 0
    await world.handle()
    assert await world.list_texts() == [("keep this", "forward")]


@pytest.mark.parametrize("ids", ["same", "other"])
async def test_an_erased_text_hides_no_other_of_the_same_words(world: World, ids: str) -> None:
    world.provider.throw(inbound_ids=ids)
    await world.text("yes")
    await world.erase("yes")
    world.pass_minutes(4)
    await world.text("yes", forward=False)
    world.pass_minutes(26)
    # The two lie on both sides of where one slice of the window ends.
    assert (await world.look_back(hours=6 + 28 / 60)).missing == 1
    await world.handle()
    assert await world.list_texts() == [("yes", "report")]
    assert (await world.look_back(hours=6 + 28 / 60)).missing == 0


@pytest.mark.parametrize("ids", ["same", "other"])
async def test_a_late_forward_of_an_erased_text_hides_no_other_forward(
    world: World, ids: str
) -> None:
    world.provider.throw(inbound_ids=ids)
    late = await world.text("yes", forward=False)
    world.pass_minutes(1)
    other = await world.text("yes", forward=False)
    world.pass_minutes(9.5)  # the report is compared up to ten minutes ago: only the first is told
    assert (await world.look_back()).missing == 1
    await world.handle()
    await world.erase("yes")
    for each in (late, other, late):
        await world.forward(each)
    assert await world.list_texts() == [("yes", "forward")]
