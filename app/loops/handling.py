"""Handles what was received, and brings the indexes and old rows up to date in quiet moments."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from app.flows.inbound.handle import BATCH_ROWS, Handled, handle_waiting
from app.flows.operations.processes.supervise import Work
from app.flows.operations.refill import refill
from app.flows.rules.answer import RuleBook
from app.loops import pace
from app.runtime import Runtime
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.outbound.text_search import has_unindexed, index_texts

# On SQLite each turn of handling delays a batch of the intake, and fewer than one message in a
# hundred should wait for it. Handling takes more turns the further it is behind, and from MAX_LAG
# on as many as it needs.
BUSY_BATCH_ROWS = 20
HANDLING_GIVE_WAY = 80
MAX_PAUSE_SECONDS = 0.5
MAX_LAG = timedelta(seconds=20)
# Updating rows of older releases takes a few milliseconds per step; others write in between.
REFILL_SECONDS = 0.1
# The index is optimized after the sender has claimed the replies: SQLite has one writer.
ANSWERS_FIRST_SECONDS = 0.01


@dataclass
class Handling(Work):
    """Handles messages as they are stored. `on_turn` is called with each turn."""

    runtime: Runtime
    on_turn: Callable[[], None]
    _lag: timedelta = timedelta()
    _book: RuleBook = field(default_factory=RuleBook)
    _is_idle: bool = False
    _is_refilling: bool = True
    _is_indexing: bool = False
    _pause_seconds: float = 0.0

    async def turn(self) -> None:
        self.on_turn()
        runtime = self.runtime
        busy = runtime.intake is not None and runtime.intake.is_busy
        patience = choose_patience(self._lag) if busy else 0.0
        began = asyncio.get_running_loop().time()
        rows = BUSY_BATCH_ROWS if patience > 0.5 else BATCH_ROWS
        handled = await _handle(runtime, self._book, rows)
        optimizing = await _optimize(runtime, handled)
        if self._is_refilling and not handled:
            self._is_refilling = await _refill(runtime)
        if not busy:
            self._is_indexing = await _index_sent(runtime, was_indexing=self._is_indexing)
        self._lag = runtime.now() - handled.oldest_at if handled.oldest_at else timedelta()
        # Messages stored since then have notified this loop; under load it pauses instead.
        self._is_idle = not optimizing and handled.messages < (1 if patience else rows)
        taken = asyncio.get_running_loop().time() - began
        self._pause_seconds = patience * min(HANDLING_GIVE_WAY * taken, MAX_PAUSE_SECONDS)

    async def rest(self) -> None:
        if self._is_idle:
            has_more = self._is_refilling or self._is_indexing
            patience = REFILL_SECONDS if has_more else pace.POLL_SECONDS
            await self.runtime.wakeups.wait("messages", patience)
        elif self._pause_seconds:
            await asyncio.sleep(self._pause_seconds)


def choose_patience(lag: timedelta) -> float:
    """How much of the full pause handling takes while many arrive: 1 up to date, 0 far behind."""
    return max(0.0, 1 - lag / MAX_LAG)


async def _handle(runtime: Runtime, book: RuleBook, rows: int) -> Handled:
    handled = await handle_waiting(
        runtime.database,
        runtime.now(),
        limit=rows,
        limits=runtime.settings.reply_limits,
        book=book,
    )
    if handled:
        runtime.metrics.handled.inc(handled.messages)
        for outcome, count in handled.outcomes.items():
            runtime.metrics.outcomes.labels(outcome).inc(count)
        runtime.announce_changes()
    if handled.queued:
        runtime.wakeups.notify("outbound")
    return handled


async def _refill(runtime: Runtime) -> bool:
    """Update a few rows of older releases; returns whether more are left."""
    settings = runtime.settings
    return await refill(
        runtime.database,
        zone=settings.zone,
        region=settings.default_region,
        limits=settings.reply_limits,
        now=runtime.now,
    )


async def _index_sent(runtime: Runtime, *, was_indexing: bool) -> bool:
    """Index the words of a few texts that were queued; returns whether there is more to do."""
    if not was_indexing and not await runtime.database.read(has_unindexed):
        return False
    return await runtime.database.write(index_texts)


async def _optimize(runtime: Runtime, handled: Handled) -> bool:
    """Optimize the index a little; returns whether there may be more to do at once."""
    if runtime.database.dialect != "sqlite":
        return False
    if handled.queued:
        await asyncio.sleep(ANSWERS_FIRST_SECONDS)
    return await runtime.database.write(MESSAGE_INDEX.optimize)
