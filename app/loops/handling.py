"""Handles what was received, and brings the indexes and old rows up to date in quiet moments."""

import asyncio
import time
from collections.abc import Callable

from app.flows.inbound.fair_share import FairShare
from app.flows.inbound.handle import Handled, handle_waiting
from app.flows.operations.processes.supervise import Work
from app.flows.operations.refill import refill
from app.flows.rules.answer import RuleBook
from app.loops import pace
from app.runtime import Runtime
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.outbound.text_search import has_unindexed, index_texts

# While many messages arrive, those of so long are handled together: a batch has its fixed costs.
GATHER_SECONDS = 0.02
# The search index is optimized after so many messages, or as soon as there is time.
UNMERGED_MESSAGES = 1000
# Updating rows of older releases takes a few milliseconds per step; others write in between.
REFILL_SECONDS = 0.1
# The indexes are brought up to date after the sender has claimed the replies.
ANSWERS_FIRST_SECONDS = 0.01


class Handling(Work):
    """Handles messages as they are stored. `on_turn` is called with each turn."""

    def __init__(self, runtime: Runtime, on_turn: Callable[[], None]) -> None:
        self._runtime = runtime
        self._on_turn = on_turn
        self._share = make_share(runtime)
        self._book = RuleBook()
        self._is_idle = False
        self._is_refilling = True
        self._is_indexing = False
        self._answers_first = False
        self._unmerged = 0
        self._taken = 0.0

    async def turn(self) -> None:
        self._on_turn()
        runtime, rows = self._runtime, self._share.rows
        began = time.monotonic()
        handled = await _handle(runtime, self._book, rows)
        self._share.note(handled.messages, handled.seconds)
        optimizing = await self._optimize(handled, has_time=handled.messages < rows)
        # Since it had the transaction: waiting for it held nobody up. Optimizing does.
        self._taken = time.monotonic() - (handled.began or began)
        if self._is_refilling and not handled:
            self._is_refilling = await _refill(runtime)
        # At most once in a row, so that a stream of replies is indexed too.
        self._answers_first = handled.queued > 0 and not self._answers_first
        if not self._answers_first and not is_busy(runtime):
            self._is_indexing = await _index_sent(runtime, was_indexing=self._is_indexing)
        self._is_idle = not optimizing and handled.messages < rows

    async def rest(self) -> None:
        if not self._is_idle:
            await self._share.rest(self._taken)
        elif is_busy(self._runtime):
            await asyncio.sleep(max(GATHER_SECONDS, self._taken))
        else:
            has_more = self._is_refilling or self._is_indexing
            patience = REFILL_SECONDS if has_more else pace.POLL_SECONDS
            if self._answers_first:
                patience = ANSWERS_FIRST_SECONDS
            await self._runtime.wakeups.wait("messages", patience)

    async def _optimize(self, handled: Handled, *, has_time: bool) -> bool:
        """Optimize the index a little; returns whether there may be more to do at once."""
        if self._runtime.database.dialect != "sqlite":
            return False
        self._unmerged += handled.messages
        has_time = has_time and not is_busy(self._runtime)
        if not has_time and self._unmerged < UNMERGED_MESSAGES:
            return False
        self._unmerged = 0
        if has_time and handled.queued:
            await asyncio.sleep(ANSWERS_FIRST_SECONDS)
        return await self._runtime.database.write(MESSAGE_INDEX.optimize) and has_time


def make_share(runtime: Runtime) -> FairShare:
    """Between this process's handling and its receiving, if it receives."""
    intake, dialect = runtime.intake, runtime.database.dialect
    if intake is None:
        return FairShare(dialect)
    return FairShare(dialect, lambda: intake.is_used, lambda: intake.is_storing)


def is_busy(runtime: Runtime) -> bool:
    """Whether messages stream in."""
    return runtime.intake is not None and runtime.intake.is_busy


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
