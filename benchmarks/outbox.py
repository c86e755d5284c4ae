"""The outbox without a service: filling it, claiming from it, following what was sent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import func, insert, select, text

from app.domain.inbound.messages import make_number_key, make_pair_key
from app.domain.outbound.states import Priority
from app.storage.db.database import Connection, Database, open_database
from app.storage.tables.outbound import is_waiting, outbound
from tests.support.outbox import Outbox, claim_due, open_outbox

NUMBERS = 1000
CHUNK_ROWS = 5000
CLAIMED = 8
CLAIMS = 60
SENT_PER_SECOND = 10
CONCURRENCY = 32

Result = TypeVar("Result")


def make_rows(
    count: int, now: datetime, per_second: float | None = None, *, is_mass: bool = False
) -> Iterator[dict[str, Any]]:
    """Texts of different pairs that are due now, or one after another from now on.

    `is_mass`: they are those of requests to a thousand numbers each.
    """
    for each in range(count):
        to, source = f"447700900{each % NUMBERS:03}", f"Shop {each // NUMBERS}"
        yield {
            "to_number": to,
            "to_key": make_number_key(to),
            "source": source,
            "source_key": make_number_key(source),
            "pair_key": make_pair_key(source, to),
            "body": "We are closed on Monday" if is_mass else f"Your order {each} is ready",
            "batch_id": each // NUMBERS + 1 if is_mass else None,
            "priority": Priority.MASS if is_mass else Priority.SINGLE,
            "parts": 1,
            "origin": "person",
            "forced": False,
            "status": "queued",
            "background_ids": [],
            "attempts": 0,
            "validity_seconds": 86400,
            "send_before": now + timedelta(days=1),
            "due_at": now + timedelta(seconds=each / per_second if per_second else 0),
            "created_at": now,
        }


async def fill_outbox(
    database: Database,
    count: int,
    now: datetime,
    per_second: float | None = None,
    *,
    is_mass: bool = False,
) -> None:
    rows = list(make_rows(count, now, per_second, is_mass=is_mass))

    def add(conn: Connection, chunk: list[dict[str, Any]]) -> None:
        conn.execute(insert(outbound), chunk)

    for first in range(0, count, CHUNK_ROWS):
        await database.write(add, rows[first : first + CHUNK_ROWS])
    if database.dialect == "postgresql":
        await database.write(lambda conn: conn.execute(text("ANALYZE outbound")).close())


def fill(database_url: str, count: int, *, is_mass: bool = False) -> None:
    """Put due texts into a migrated database."""
    now = datetime.now(UTC)
    _run(database_url, lambda database: fill_outbox(database, count, now, is_mass=is_mass))


def time_claims(database_url: str) -> float:
    """Seconds of the median claim of eight texts."""
    return _run(database_url, _time_claims)


async def _time_claims(database: Database) -> float:
    times = []
    for _ in range(CLAIMS):
        began = time.perf_counter()
        claim = await database.write(claim_due, limit=CLAIMED, per_second=10_000)
        times.append(time.perf_counter() - began)
        assert len(claim.texts) == CLAIMED, len(claim.texts)
        await asyncio.sleep(0.002)  # the pace allows the next ones
    return sorted(times)[len(times) // 2]


def _run(database_url: str, work: Callable[[Database], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        database = open_database(database_url, Path(database_url.removeprefix("sqlite:///")))
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


@dataclass(frozen=True, slots=True)
class Followed:
    """The cost of following texts to their final status: `asked` counts single checks."""

    texts: int
    asked: int
    checks: int
    reports: int


def follow(database_url: str, count: int, **switches: Any) -> Followed:
    """Send at ten a second and follow, in process; the clock jumps to what is due next."""

    async def work(database: Database) -> Followed:
        async with open_outbox(database, magic_numbers=False, **switches) as outbox:
            await fill_outbox(database, count, outbox.now(), per_second=SENT_PER_SECOND)
            asked = await _follow_all(outbox)
            calls = outbox.world.calls.counts
            return Followed(count, asked, calls["CheckMessageStatus"], calls["Report"])

    return _run(database_url, work)


async def _follow_all(outbox: Outbox) -> int:
    """Send and check whatever is due next until nothing is; returns how many checks were due."""
    asked = 0
    while True:
        await outbox.send(per_second=1e9, concurrency=CONCURRENCY)
        while checked := await outbox.check():
            asked += checked
        next_at = await outbox.database.read(_find_next)
        if next_at is None:
            return asked
        # In steps of a second, as the loops that do this look about them.
        outbox.pass_seconds(max(1.0, (next_at - outbox.now()).total_seconds()))


def _find_next(conn: Connection) -> datetime | None:
    due_at = select(func.min(outbound.c.due_at)).where(is_waiting(outbound))
    check_at = select(func.min(outbound.c.check_at))
    times = [conn.execute(query).scalar() for query in (due_at, check_at)]
    return min(filter(None, times), default=None)
