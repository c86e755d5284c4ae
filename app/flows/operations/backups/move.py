"""Moves everything to another database, SQLite to PostgreSQL or back, and compares every row."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.domain.errors import SetupError
from app.storage import tables as tables  # registers all of them
from app.storage.db import moving
from app.storage.db.database import Database
from app.storage.db.migrate import is_current, migrate, read_revisions
from app.storage.db.moving import Table
from app.storage.inbound.text_search import rebuild_step
from app.storage.operations.processes import GONE_AFTER, list_processes
from app.storage.outbound.text_search import index_again

# Who runs, and nothing else, is of the machines.
LEFT_OUT = frozenset({"process_figures", "processes"})

STAGES = ("copy", "index", "compare")
Report = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows each table has."""

    rows: dict[str, int]


async def move(
    source: Database, target: Database, place: str, report: Report, now: datetime
) -> Moved:
    """Copy all rows, ids and counters, and compare them; goes on where an earlier try ended.

    `place` names the source. `report` is called with one of STAGES and how many rows
    more. Raises SetupError where a service runs on either, or the target is in use.
    """
    await _refuse_running(source, now)
    await _prepare(target, place)
    await _refuse_running(target, now)
    wanted = moving.list_tables_to_move(LEFT_OUT)
    for table in wanted:
        await _copy(source, target, table, report)
    await _index(target, report)
    rows = {table.name: await _compare(source, target, table, report) for table in wanted}
    await target.write(moving.end_move)
    return Moved(rows)


async def count_all(source: Database) -> int:
    """How many rows are to be moved. Raises SetupError where the source cannot be moved."""
    if not await is_current(source):
        raise SetupError("the schema is older than this release: run `letterbox migrate` first")
    wanted = moving.list_tables_to_move(LEFT_OUT)
    return sum([await source.read(moving.count_rows, table) for table in wanted])


async def _refuse_running(database: Database, now: datetime) -> None:
    running = [
        each for each in await database.read(list_processes) if each.seen_at > now - GONE_AFTER
    ]
    if running:
        names = ", ".join(f"{each.kind} on {each.host} (process {each.pid})" for each in running)
        raise SetupError(
            f"a service uses the database: {names}. Stop it first; one that was killed counts as"
            " gone after a minute"
        )


async def _prepare(target: Database, place: str) -> None:
    if await target.read(moving.is_moving):
        current, head = await target.read(read_revisions)
        if current != head:
            raise SetupError("the move was begun by another release: go on with that one")
    else:
        await migrate(target)
    await target.write(moving.begin_move, place)


async def _copy(source: Database, target: Database, table: Table, report: Report) -> None:
    after = await target.read(moving.find_last_key, table)
    rows = await source.read(moving.read_step, table, after)
    while rows:
        after = moving.get_key(table, rows[-1])
        # The old database reads while the new one writes.
        following, _ = await asyncio.gather(
            source.read(moving.read_step, table, after),
            target.write(moving.write_step, table, rows),
        )
        report("copy", len(rows))
        rows = following
    if moving.has_counter(table):
        last = await source.read(moving.read_counter, table)
        await target.write(moving.write_counter, table, last)


async def _index(target: Database, report: Report) -> None:
    """The words of messages; those of texts that go out are indexed by the service's own loop."""
    after: int | None = 0
    while after is not None:
        after, count = await target.write(rebuild_step, after)
        report("index", count)
    await target.write(index_again)


async def _compare(source: Database, target: Database, table: Table, report: Report) -> int:
    after, total = None, 0
    while True:
        ours, theirs = await asyncio.gather(
            source.read(moving.digest_step, table, after),
            target.read(moving.digest_step, table, after),
        )
        if ours != theirs:
            raise SetupError(
                f"the rows of {table.name} are not alike on both sides: nothing was changed in the"
                " old database; move to another empty one, and report this"
            )
        _, after, count = ours
        total += count
        report("compare", count)
        if after is None:
            return total
