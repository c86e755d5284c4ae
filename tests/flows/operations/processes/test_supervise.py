"""Loops that go on whatever their turns do, and what is told of those that fail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.domain.errors import Conflict, Unavailable
from app.domain.provider_errors import Unreachable
from app.flows.operations.processes import supervise
from app.flows.operations.processes.supervise import FAILING, Chore, Loop, LoopAlerts, Loops
from app.storage.db.database import Database, open_database
from app.storage.operations.alerts import Alert, list_alerts, raise_alert
from tests.support.clock import NOW

Turn = Callable[[], Awaitable[None]]


@dataclass
class Bench:
    """Loops whose retries take no time; `seconds` is their clock."""

    loops: Loops = field(default_factory=Loops)
    seconds: float = 1000.0
    turns: int = 0
    errors: list[BaseException] = field(default_factory=list)
    is_broken: bool = False

    def __post_init__(self) -> None:
        self.loops.seconds = lambda: self.seconds

    async def turn(self) -> None:
        """Raise what is next, if anything is."""
        self.turns += 1
        if self.is_broken:
            raise RuntimeError("broken")
        if self.errors:
            raise self.errors.pop(0)

    @property
    def trouble(self) -> str:
        return self.loops.find_troubles()["test"]

    async def wait(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 what it waits for sets no event
                await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EventDict]]:
    """What is logged; failures follow each other without a pause."""
    monkeypatch.setattr(supervise, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(supervise, "MAX_RETRY_SECONDS", 0.01)
    with capture_logs() as captured:
        yield captured


@asynccontextmanager
async def turning(
    bench: Bench, turn: Turn | None = None, *, patience: float = 10.0
) -> AsyncIterator[None]:
    chore = Chore(turn or bench.turn, 0.001)
    loop = asyncio.create_task(
        bench.loops.keep_turning("test", lambda _: chore, patience_seconds=patience)
    )
    await asyncio.sleep(0)
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.wait({loop})
        assert loop.cancelled()


@pytest.mark.parametrize(
    "error",
    [RuntimeError("x"), OSError(28, "x"), asyncio.CancelledError(), TimeoutError(), KeyError(1)],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_turn_raises_the_loop_goes_on(
    error: BaseException, logs: list[EventDict]
) -> None:
    bench = Bench(errors=[error] * 3)
    async with turning(bench):
        await bench.wait(lambda: bench.turns == 3)
        assert type(error).__name__ in bench.trouble
        await bench.wait(lambda: bench.turns > 5)
        assert bench.trouble == ""
    assert [(each["event"], each["failures"]) for each in logs] == [
        ("turn_failed", number) for number in (1, 2, 3)
    ]


async def test_a_cancelled_task_that_a_turn_waits_for_is_no_end_of_the_loop() -> None:
    bench = Bench()

    async def turn() -> None:
        await bench.turn()
        inner = asyncio.create_task(asyncio.sleep(10))
        asyncio.get_running_loop().call_soon(inner.cancel)
        await asyncio.shield(inner)

    async with turning(bench, turn):
        await bench.wait(lambda: bench.turns > 2)
        assert "CancelledError" in bench.trouble


async def test_what_fails_as_the_work_is_made_is_tried_again() -> None:
    bench = Bench(errors=[RuntimeError("no such table")] * 2)
    made = 0

    def make(_: Loop) -> Chore:
        nonlocal made
        made += 1
        if bench.errors:
            raise bench.errors.pop()
        return Chore(bench.turn, 0.001)

    task = asyncio.create_task(bench.loops.keep_turning("test", make))
    await bench.wait(lambda: bench.turns > 2)
    assert made == 3
    task.cancel()
    await asyncio.wait({task})


async def test_a_turn_that_hangs_is_ended_and_shown() -> None:
    bench = Bench()

    async def turn() -> None:
        await bench.turn()
        await asyncio.Event().wait()

    async with turning(bench, turn, patience=0.02):
        await bench.wait(lambda: bench.turns > 2)
        assert "no progress" in bench.trouble


async def test_a_long_turn_that_tells_of_its_progress_is_left_alone() -> None:
    loops = Loops()
    done = asyncio.Event()

    def make(loop: Loop) -> Chore:
        async def turn() -> None:
            for _ in range(10):
                await asyncio.sleep(0.02)
                loop.progress()
            done.set()

        return Chore(turn, 10)

    task = asyncio.create_task(loops.keep_turning("test", make, patience_seconds=0.1))
    async with asyncio.timeout(10):
        await done.wait()
    assert loops.find_troubles() == {"test": ""}
    task.cancel()
    await asyncio.wait({task})


async def test_a_turn_that_cannot_be_ended_is_shown() -> None:
    bench = Bench()
    release = asyncio.Event()

    async def turn() -> None:
        await bench.turn()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with turning(bench, turn, patience=0.01):
        await asyncio.sleep(0.05)
        assert bench.trouble == ""
        bench.seconds += supervise.STUCK_SECONDS + 1
        assert "no progress for 31 seconds" in bench.trouble
        assert bench.turns == 1
        release.set()


async def test_pauses_grow_from_failure_to_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "RETRY_SECONDS", 1.0)
    monkeypatch.setattr(supervise, "MAX_RETRY_SECONDS", 30.0)
    loop = Loop("test", 10, lambda: 0.0)
    assert [loop.fail(RuntimeError()) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    loop.recover()
    assert loop.fail(RuntimeError()) == 1


async def test_a_database_that_is_away_is_no_failure_until_it_refuses_a_loop_for_long() -> None:
    bench = Bench()

    async def turn() -> None:
        bench.turns += 1
        raise Unavailable("somebody holds the rows")

    async with turning(bench, turn):
        await bench.wait(lambda: bench.turns > 2)
        assert bench.trouble == ""
        bench.seconds += supervise.AWAY_SECONDS + 1
        assert "somebody holds the rows" in bench.trouble


@pytest.mark.parametrize("error", [Unreachable("no route"), Conflict("another runs")])
async def test_what_the_provider_refuses_or_another_does_is_no_failure_of_the_loop(
    error: Exception,
) -> None:
    bench = Bench(errors=[error])
    async with turning(bench):
        await bench.wait(lambda: bench.turns == 2)
        assert bench.trouble == ""


async def test_nobodys_words_are_shown_of_an_unforeseen_error() -> None:
    loop = Loop("test", 10, lambda: 0.0)
    loop.fail(ValueError("invalid input for query argument $1: 'Dear Ada'"))
    assert "ValueError" in loop.find_trouble()
    assert "Ada" not in loop.find_trouble()


async def test_a_loop_that_is_cancelled_finishes_what_is_under_way() -> None:
    bench = Bench()
    ended = False

    class Sender(Chore):
        async def end(self) -> None:
            nonlocal ended
            await asyncio.sleep(0.01)
            ended = True

    task = asyncio.create_task(bench.loops.keep_turning("test", lambda _: Sender(bench.turn)))
    await bench.wait(lambda: bench.turns > 0)
    task.cancel()
    await asyncio.wait({task})
    assert ended
    assert bench.loops.find_troubles() == {}


@asynccontextmanager
async def watched(database_url: str, bench: Bench) -> AsyncIterator[tuple[LoopAlerts, Database]]:
    database = open_database(database_url, Path(database_url.removeprefix("sqlite:///")))
    yield LoopAlerts(bench.loops, database, "here, process 1", lambda: NOW, lambda: None), database
    await database.close()


async def list_all(database: Database) -> list[Alert]:
    return await database.read(list_alerts, before=None, limit=10)


async def test_a_failing_loop_has_an_alert_open_until_it_works(database_url: str) -> None:
    bench = Bench(is_broken=True)
    async with watched(database_url, bench) as (alerts, database), turning(bench):
        await bench.wait(lambda: bench.trouble != "")
        await alerts.turn()
        assert await list_all(database) == []  # the database may have come back this very moment
        await alerts.turn()
        await alerts.turn()
        [alert] = await list_all(database)
        assert (alert.kind, alert.subject) == (FAILING, "test on here, process 1")
        assert (alert.count, alert.closed_at) == (1, None)
        assert "RuntimeError" in alert.text
        bench.seconds += supervise.RENEWED_EVERY_SECONDS
        await alerts.turn()
        bench.is_broken = False
        await bench.wait(lambda: bench.trouble == "")
        await alerts.turn()
        [alert] = await list_all(database)
        assert (alert.count, alert.closed_at) == (2, NOW)


async def test_an_alert_of_a_process_that_is_gone_ends(database_url: str) -> None:
    bench = Bench()

    def raise_long_ago(conn: Connection) -> None:
        then = NOW - supervise.GONE_AFTER - timedelta(seconds=1)
        raise_alert(conn, FAILING, "x on y", text="?", action="?", now=then)

    async with watched(database_url, bench) as (alerts, database):
        await database.write(raise_long_ago)
        await alerts.turn()
        [alert] = await list_all(database)
        assert alert.closed_at == NOW
