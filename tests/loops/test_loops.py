"""The loops of a worker: what wakes them, and what they do of their own accord."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.flows.operations.processes.keep_time import utc_now
from app.flows.operations.processes.supervise import FAILING
from app.storage.db.database import open_database
from app.storage.inbound.inbound import make_inserter
from app.storage.operations.alerts import list_alerts, list_open_subjects
from app.storage.operations.stats import find_oldest_unhandled
from app.storage.outbound.sending.sender import get_sender, stop_sender
from app.storage.outbound.text_search import has_unindexed
from tests.loops.working import (
    PATIENCE_SECONDS,
    add_keyword_rule,
    has_status,
    opened,
    queue,
    receive_text,
    wait_for,
    working,
)
from tests.support.messages import make_message
from tests.support.outbox import ADA, Outbox


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
