"""The loops of a worker: what wakes them, and what is left of a call when they end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.domain.outbound.requests import OutboundRequest
from app.domain.rules.rules import Rule
from app.flows.operations.processes.keep_time import utc_now
from app.flows.operations.processes.supervise import FAILING
from app.provider.client import ProviderClient
from app.runtime import Runtime
from app.settings import Settings
from app.storage.db.database import Database, open_database
from app.storage.inbound.inbound import make_inserter
from app.storage.operations.alerts import list_alerts, list_open_subjects
from app.storage.operations.stats import find_oldest_unhandled
from app.storage.outbound.outbox import Addressee
from app.storage.outbound.sending.sender import get_sender, stop_sender
from app.storage.outbound.text_search import has_unindexed
from app.storage.rules.rules import add_rule
from app.wiring import open_runtime
from app.worker import run_flows
from tests.support.messages import make_message
from tests.support.outbox import ADA, OURS, Outbox, add_outbound, open_outbox
from tests.support.service import API_KEY, AUTH

PATIENCE_SECONDS = 30.0


@dataclass
class Worker:
    """A worker of this process; `ahead` is how much its clock goes before the real one."""

    runtime: Runtime
    ahead: list[timedelta]
    flows: asyncio.Task[None]


@asynccontextmanager
async def working(
    database_url: str, folder: Path, provider: ProviderClient | None, **settings: Any
) -> AsyncIterator[Worker]:
    ahead = [timedelta()]

    def now() -> datetime:
        return utc_now() + ahead[0]

    chosen = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        data_dir=folder,
        inbound_auth=SecretStr(AUTH),
        api_key=SecretStr(API_KEY),
        send_per_second=1000,
        **settings,
    )
    runtime = open_runtime(chosen, "work", provider=provider, now=now)
    await runtime.start(on_failure=lambda: None)
    try:
        yield Worker(runtime, ahead, runtime.spawn(run_flows(runtime)))
    finally:
        await runtime.close()


@pytest.fixture
def slow_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is not woken sleeps for longer than a test waits."""
    monkeypatch.setattr("app.loops.pace.POLL_SECONDS", 3 * PATIENCE_SECONDS)


@pytest.fixture
def quick_chores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.loops.following.CHORES_SECONDS", 0.05)
    monkeypatch.setattr("app.loops.pace.POLL_SECONDS", 0.05)


@pytest.fixture
def quiet_log() -> Iterator[None]:
    """Unconfigured, it paints each traceback with all locals, which holds the loops up."""
    with capture_logs():
        yield


async def wait_for(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Outbox]:
    database = open_database(database_url, Path())
    async with open_outbox(database) as outbox:
        yield outbox
    await database.close()


async def has_status(outbox: Outbox, status: str, number: int = 1) -> bool:
    return await outbox.status(number) == status


async def add_keyword_rule(database: Database) -> None:
    rule = Rule(name="hours", keyword="hours", timezone="UTC", reply="We open at nine")
    await database.write(add_rule, rule, now=utc_now())


async def receive_text(runtime: Runtime) -> None:
    """As the intake does in a web process."""
    now = utc_now()
    text = make_message(1, source=ADA, dest=OURS, body="hours", received_at=now, arrived_at=now)
    inserter = make_inserter(runtime.database)
    await inserter.insert([text], now)
    inserter.abandon()
    runtime.wakeups.notify("messages")


async def queue(runtime: Runtime, **fields: Any) -> int:
    """As an endpoint does: committed, then rung."""
    new = OutboundRequest(**{"source": OURS, "body": "Hello", **fields})
    added = await runtime.database.write(add_outbound, new, Addressee(ADA), utc_now())
    assert added is not None
    runtime.wakeups.notify("outbound")
    return added


@pytest.mark.usefixtures("slow_polls")
async def test_an_answer_goes_out_as_soon_as_it_is_decided(
    outbox: Outbox, database_url: str, tmp_path: Path
) -> None:
    await add_keyword_rule(outbox.database)
    async with working(database_url, tmp_path / "data", outbox.client) as worker:
        await asyncio.sleep(0.3)  # every loop has looked once and sleeps
        await receive_text(worker.runtime)

        async def is_taken() -> bool:
            return outbox.taken() == [(ADA, "We open at nine")]

        await wait_for(is_taken)


@pytest.mark.usefixtures("slow_polls")
async def test_an_answer_that_another_process_decides_goes_out_as_soon(
    postgres_url: str, tmp_path: Path
) -> None:
    async with (
        opened(postgres_url) as outbox,
        working(postgres_url, tmp_path / "one", None) as handling,
        working(postgres_url, tmp_path / "two", outbox.client),
    ):
        await add_keyword_rule(outbox.database)

        async def do_both_listen() -> bool:
            found = await outbox.fetch(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify%')"
            )
            return len(found) == 2

        async def is_taken() -> bool:
            return bool(outbox.taken())

        await wait_for(do_both_listen)
        await asyncio.sleep(0.3)  # every loop has looked once and sleeps
        await receive_text(handling.runtime)
        await wait_for(is_taken)


@pytest.mark.usefixtures("quick_chores")
async def test_a_text_is_followed_to_its_delivery_by_itself(
    outbox: Outbox, database_url: str, tmp_path: Path
) -> None:
    async with working(database_url, tmp_path / "data", outbox.client) as worker:
        await queue(worker.runtime)
        await wait_for(lambda: has_status(outbox, "sent"))
        outbox.pass_seconds(10)
        worker.ahead[0] = timedelta(seconds=15)
        await wait_for(lambda: has_status(outbox, "delivered"))


@pytest.mark.usefixtures("quick_chores")
async def test_an_uncertain_text_is_settled_by_itself(
    outbox: Outbox, database_url: str, tmp_path: Path
) -> None:
    outbox.strike("reset")
    outbox.world.clock.move_to(utc_now())
    async with working(database_url, tmp_path / "data", outbox.client) as worker:
        await queue(worker.runtime)
        await wait_for(lambda: has_status(outbox, "uncertain"))
        worker.ahead[0] = timedelta(seconds=10)
        await wait_for(lambda: has_status(outbox, "sent"))
        assert await outbox.ids(1) == ["3509592"]


@pytest.mark.usefixtures("quick_chores")
async def test_what_nobody_comes_back_to_ends_by_itself_without_an_account(
    outbox: Outbox, database_url: str, tmp_path: Path
) -> None:
    async with working(database_url, tmp_path / "data", None) as worker:
        over = utc_now() - timedelta(seconds=1)
        reply = await queue(worker.runtime, origin="rule", in_reply_to=1, send_before=over)
        left = await queue(worker.runtime)

        def abandon(conn: Any) -> None:
            then = "now()" if conn.dialect.name == "postgresql" else "1"
            conn.exec_driver_sql(
                f"UPDATE outbound SET status = 'sending', lease_until = {then} WHERE id = {left}"
            )

        await outbox.database.write(abandon)
        await wait_for(lambda: has_status(outbox, "expired", reply))
        await wait_for(lambda: has_status(outbox, "uncertain", left))


async def test_all_that_is_over_after_a_long_pause_ends_at_once(
    outbox: Outbox, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.loops.following.CHORES_SECONDS", 3 * PATIENCE_SECONDS)
    monkeypatch.setattr("app.loops.following.CHORES_ROWS", 2)
    over = [utc_now() - timedelta(seconds=seconds) for seconds in (5, 4, 3, 2, 1)]
    texts = [await outbox.queue(send_before=each) for each in over]
    async with working(database_url, tmp_path / "data", None):
        await wait_for(lambda: has_status(outbox, "expired", texts[-1]))
    assert [await outbox.status(each) for each in texts] == ["expired"] * 5


@pytest.mark.usefixtures("quick_chores")
async def test_a_stopped_account_is_tried_by_its_credits_where_no_text_waits(
    outbox: Outbox, database_url: str, tmp_path: Path
) -> None:
    long_ago = utc_now() - timedelta(minutes=5)
    await outbox.database.write(stop_sender, "no credits", long_ago)
    async with working(database_url, tmp_path / "data", outbox.client):

        async def is_running() -> bool:
            return (await outbox.database.read(get_sender)).state == "running"

        await wait_for(is_running)
    assert outbox.world.calls.counts["Send"] == 0


async def test_a_call_under_way_is_waited_for_at_the_end(
    outbox: Outbox, database_url: str, tmp_path: Path
) -> None:
    outbox.strike("slow", seconds=0.5)
    async with working(database_url, tmp_path / "data", outbox.client) as worker:
        await queue(worker.runtime)

        async def is_called() -> bool:
            return bool(outbox.world.calls.counts["Send"])

        await wait_for(is_called)
    assert await outbox.status(1) == "sent"


async def test_a_call_that_is_cut_off_at_the_end_is_uncertain_at_once(
    outbox: Outbox, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.outbound.sending.send.DRAIN_SECONDS", 0.05)
    outbox.strike("slow", seconds=5)
    async with working(database_url, tmp_path / "data", outbox.client) as worker:
        await queue(worker.runtime)

        async def is_called() -> bool:
            return bool(outbox.world.calls.counts["Send"])

        await wait_for(is_called)
    assert await outbox.status(1) == "uncertain"


async def test_what_a_turn_claims_while_the_process_ends_is_given_back(outbox: Outbox) -> None:
    await outbox.queue()
    sender = outbox.make_sender()
    turn = asyncio.create_task(sender.turn())
    await asyncio.sleep(0)
    turn.cancel()
    await asyncio.wait({turn})
    await sender.drain()
    assert (turn.cancelled(), await outbox.status(1), outbox.taken()) == (True, "queued", [])
    assert await outbox.send() == 1


async def test_a_wrong_zone_is_told_by_itself(database_url: str, tmp_path: Path) -> None:
    database = open_database(database_url, Path(database_url.removeprefix("sqlite:///")))
    now = utc_now()
    inserter = make_inserter(database)
    texts = [
        make_message(number, received_at=now - timedelta(hours=1), arrived_at=now)
        for number in range(12)
    ]
    await inserter.insert(texts, now)
    inserter.abandon()
    async with working(database_url, tmp_path / "data", None):

        async def is_told() -> bool:
            found = await database.read(list_alerts, before=None, limit=5, is_open=True)
            return [alert.kind for alert in found] == ["provider-timezone"]

        await wait_for(is_told)
    await database.close()


def rename_table(name: str, new_name: str) -> Callable[[Any], None]:
    return lambda conn: conn.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {new_name}")


@pytest.mark.usefixtures("quick_chores", "quiet_log")
async def test_a_loop_that_fails_ends_no_other_and_goes_on_once_it_can(
    outbox: Outbox, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.operations.processes.supervise.WATCH_SECONDS", 0.05)
    monkeypatch.setattr("app.flows.operations.processes.supervise.MAX_RETRY_SECONDS", 0.2)
    database = outbox.database
    async with working(database_url, tmp_path / "data", outbox.client) as worker:

        async def list_failing() -> set[str]:
            found = await database.read(list_open_subjects, FAILING)
            return {each.partition(" on ")[0] for each in found}

        async def is_sending_told() -> bool:
            return "sending" in await list_failing()

        async def is_all_well() -> bool:
            return not await list_failing() and not any(
                worker.runtime.loops.find_troubles().values()
            )

        async def is_handled() -> bool:
            return await database.read(find_oldest_unhandled) is None

        await wait_for(is_all_well)
        await database.write(rename_table("sender", "gone"))
        await wait_for(is_sending_told)
        assert worker.runtime.loops.find_troubles()["handling"] == ""
        await receive_text(worker.runtime)
        await wait_for(is_handled)
        await database.write(rename_table("gone", "sender"))
        await wait_for(is_all_well)
        await queue(worker.runtime)
        await wait_for(lambda: has_status(outbox, "sent"))
    assert worker.flows.cancelled()


@pytest.mark.usefixtures("quick_chores")
async def test_the_words_of_a_queued_text_are_indexed_soon(
    database_url: str, tmp_path: Path
) -> None:
    async with working(database_url, tmp_path / "data", None) as worker:
        database = worker.runtime.database
        await queue(worker.runtime)
        assert await database.read(has_unindexed)

        async def is_indexed() -> bool:
            return not await database.read(has_unindexed)

        await wait_for(is_indexed)
