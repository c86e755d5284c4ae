"""Removes what is older than KEEP_DAYS, slowly, so that nobody notices."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from app.storage.access.audit import forget_old_details
from app.storage.conversations.removal import remove_empty_conversations
from app.storage.db.database import Connection, Database
from app.storage.inbound.refusals import forget_refusals
from app.storage.inbound.removal import find_old_messages, remove_messages, remove_old_blocks
from app.storage.operations.alerts import forget_closed_alerts
from app.storage.operations.events import forget_events
from app.storage.outbound.removal import (
    find_old_texts,
    remove_empty_batches,
    remove_old_rows,
    remove_texts,
)
from app.storage.webhooks.deliveries import forget_deliveries

# Texts a step: on SQLite nobody else can write meanwhile.
STEP_ROWS = 50
# Most entries of the audit trail are only read.
AUDIT_ROWS = 1_000
# A step may take this share of the time; the rest is for others.
SHARE = 0.05
LONGEST_REST_SECONDS = 2.0

# A step from an id on: the id to go on from, None at the end; and how many it removed.
T = TypeVar("T")
Step = Callable[[Connection, datetime, int], tuple[int | None, int]]


@dataclass(frozen=True, slots=True)
class Removed:
    """How many of each were removed."""

    messages: int
    outbound: int
    others: int


async def remove_old(
    database: Database, keep: timedelta, now: datetime, on_step: Callable[[], None] = lambda: None
) -> Removed:
    """Remove what is older than that: messages, texts, events, refusals, the audit trail's details.

    Counts of days, opt-outs, open alerts, and what may still go out stay.
    """
    before = now - keep
    messages, texts, others = [
        await _remove(database, step, before, on_step)
        for step in (_remove_messages, _remove_texts, _forget_details)
    ]
    for forget in (
        remove_old_rows,
        remove_empty_batches,
        forget_events,
        forget_refusals,
        forget_closed_alerts,
        forget_deliveries,
    ):
        count = STEP_ROWS
        while count == STEP_ROWS:
            count = await _take_step(database, forget, before, STEP_ROWS)
            others += count
            on_step()
    await database.write(remove_old_blocks)
    return Removed(messages, texts, others)


async def _remove(
    database: Database, step: Step, before: datetime, on_step: Callable[[], None]
) -> int:
    after: int | None = 0
    removed = 0
    while after is not None:
        after, count = await _take_step(database, step, before, after)
        removed += count
        on_step()
    return removed


async def _take_step(database: Database, step: Callable[..., T], *args: object) -> T:
    loop = asyncio.get_running_loop()
    began = loop.time()
    done = await database.write(step, *args)
    taken = loop.time() - began
    await asyncio.sleep(min(taken * (1 / SHARE - 1), LONGEST_REST_SECONDS))
    return done


def _remove_messages(conn: Connection, before: datetime, after: int) -> tuple[int | None, int]:
    ids, rest = find_old_messages(conn, before, after, STEP_ROWS)
    if ids:
        remove_empty_conversations(conn, remove_messages(conn, ids))
    return rest, len(ids)


def _remove_texts(conn: Connection, before: datetime, after: int) -> tuple[int | None, int]:
    ids, rest = find_old_texts(conn, before, after, STEP_ROWS)
    if ids:
        remove_empty_conversations(conn, remove_texts(conn, ids))
    return rest, len(ids)


def _forget_details(conn: Connection, before: datetime, after: int) -> tuple[int | None, int]:
    return forget_old_details(conn, before, after, AUDIT_ROWS)
