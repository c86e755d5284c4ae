"""The loops: each runs one flow repeatedly (flows/operations/processes/supervise.py)."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from app.domain.access.sealing import Sealer
from app.flows.inbound.handle import BATCH_ROWS, Handled, handle_waiting
from app.flows.operations.alarms.credit_monitor import CreditMonitor
from app.flows.operations.alarms.raise_alarms import raise_alarms
from app.flows.operations.changes import Render
from app.flows.operations.notifications.deliver_notice import Deliverer
from app.flows.operations.notifications.notify import Notifier
from app.flows.operations.processes.leader import take_turn
from app.flows.operations.processes.supervise import Chore, Loop, Work
from app.flows.operations.refill import refill
from app.flows.operations.retain import remove_old
from app.flows.outbound.batches.send_batch import advance_batches
from app.flows.outbound.sending.resolve_uncertain import UncertainResolver
from app.flows.outbound.sending.send import Sender, SendPolicy
from app.flows.outbound.sending.sync import Checker
from app.flows.rules.answer import RuleBook
from app.flows.webhooks.deliver_webhooks import Courier
from app.network.caller import EndpointCaller
from app.runtime import Runtime
from app.storage.inbound.text_search import MESSAGE_INDEX
from app.storage.outbound.sending.backlog import Chores, find_chores
from app.storage.outbound.sending.expiry import end_leases, expire_overdue
from app.storage.outbound.text_search import has_unindexed, index_texts

POLL_SECONDS = 1.0
# While many messages arrive, sending pauses for this many times the length of its last turn.
GIVE_WAY = 8
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
# Leases and checks are due after seconds at the earliest.
CHORES_SECONDS = 2.0
CHORES_ROWS = 100
CREDITS_SECONDS = 30.0
# A report, which is a single step, may take 15 minutes.
REPORT_PATIENCE_SECONDS = 1200.0
ALARMS_SECONDS = 60.0
RETENTION_SECONDS = 3600.0
ERASING_SECONDS = 2.0


log = structlog.get_logger("letterbox.loops")


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
            patience = REFILL_SECONDS if has_more else POLL_SECONDS
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


def make_reconciling(runtime: Runtime, loop: Loop) -> Work:
    """Compares what arrived with the provider's report, every RECONCILE_SECONDS."""
    reconciler = runtime.make_reconciler()

    async def step() -> None:
        result = await reconciler.run(lambda _: loop.progress())
        if result is not None:
            runtime.note_reconciliation(result)

    return Chore(step, runtime.settings.reconcile_seconds)


class Sending(Work):
    """Sends texts when they are queued or due; at the end lets calls in flight finish.

    Sets `asks_credits` if the account should be tried again and there is no text to try with.
    """

    def __init__(self, runtime: Runtime, asks_credits: asyncio.Event) -> None:
        self._runtime = runtime
        self._asks_credits = asks_credits
        self._sender = _make_sender(runtime)
        self._pause_seconds = 0.0
        self._wait_seconds = 0.0

    async def turn(self) -> None:
        intake = self._runtime.intake
        busy = intake is not None and intake.is_busy
        began = asyncio.get_running_loop().time()
        claim = await self._sender.turn()
        if claim.asks_credits:
            self._asks_credits.set()
        taken = asyncio.get_running_loop().time() - began
        self._pause_seconds = GIVE_WAY * taken if busy else 0.0
        wait = POLL_SECONDS if claim.wait_seconds is None else claim.wait_seconds
        self._wait_seconds = min(wait, POLL_SECONDS)

    async def rest(self) -> None:
        """Wait until a text is queued, a call ends, or the time is over; without room for another
        call, one must end first.
        """
        if self._pause_seconds:
            await asyncio.sleep(self._pause_seconds)
        sender = self._sender
        if sender.results.finished:
            return
        if not sender.wanted:
            await asyncio.wait(sender.calls, return_when=asyncio.FIRST_COMPLETED)
        elif self._wait_seconds:
            waiting = self._runtime.wakeups.wait("outbound", self._wait_seconds)
            notified = asyncio.create_task(waiting)
            await asyncio.wait({notified, *sender.calls}, return_when=asyncio.FIRST_COMPLETED)
            notified.cancel()

    async def end(self) -> None:
        await self._sender.drain()


def _make_sender(runtime: Runtime) -> Sender:
    settings = runtime.settings
    policy = SendPolicy(
        settings.send_per_second,
        settings.send_concurrency,
        settings.send_batch,
        settings.zone,
    )
    return Sender(
        runtime.database,
        runtime.get_provider(),
        policy,
        runtime.metrics,
        on_change=runtime.announce_changes,
        draw=secrets.SystemRandom().random,
    )


class Batching(Work):
    """Makes texts of the rows of batches, and cancels those of cancelled ones, step by step."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._is_idle = True
        self._pause_seconds = 0.0

    async def turn(self) -> None:
        runtime = self._runtime
        busy = runtime.intake is not None and runtime.intake.is_busy
        began = asyncio.get_running_loop().time()
        done = await advance_batches(runtime.database, runtime.now())
        taken = asyncio.get_running_loop().time() - began
        self._is_idle = not done
        self._pause_seconds = GIVE_WAY * taken if busy else 0.0
        if done:
            runtime.announce_texts()

    async def rest(self) -> None:
        if self._is_idle:
            await self._runtime.wakeups.wait("batches", POLL_SECONDS)
        elif self._pause_seconds:
            await asyncio.sleep(self._pause_seconds)


def make_ending(runtime: Runtime, loop: Loop) -> Work:
    """Ends the leases of dead processes, and expires texts."""

    async def step() -> None:
        chores = await runtime.database.read(find_chores, runtime.now())
        ended = 0
        if chores.leases:
            ended += await runtime.database.write(end_leases, limit=CHORES_ROWS)
        # After a long outage there are many, and nothing should wait for them.
        while chores.overdue and (
            count := await runtime.database.write(expire_overdue, runtime.now(), limit=CHORES_ROWS)
        ):
            ended += count
            loop.progress()
        if ended:
            runtime.announce_changes()

    return Chore(step, CHORES_SECONDS)


def make_alarms(runtime: Runtime) -> Work:
    """Checks that texts still arrive as they should; one process at a time."""
    settings = runtime.settings
    reconciles = runtime.provider is not None and settings.reconcile_seconds
    every = timedelta(seconds=settings.reconcile_seconds) if reconciles else None
    started_at = runtime.now()

    async def step() -> None:
        async with take_turn(runtime.database, "alarms", now=runtime.now) as is_mine:
            if is_mine and await raise_alarms(
                runtime.database,
                timezone=settings.provider_timezone,
                now=runtime.now(),
                reconciled_every=every,
                started_at=started_at,
            ):
                runtime.announce_changes()

    return Chore(step, ALARMS_SECONDS)


class Delivering(Work):
    """Delivers events to webhooks as they happen."""

    def __init__(self, runtime: Runtime, render: Render) -> None:
        intake = runtime.intake
        self._courier = Courier(
            runtime.database,
            runtime.wakeups,
            EndpointCaller(runtime.settings.webhook_networks),
            render,
            runtime.secrets.api_key,
            runtime.metrics,
            now=runtime.now,
            draw=secrets.SystemRandom().random,
            on_change=runtime.announce_changes,
            is_busy=lambda: intake is not None and intake.is_busy,
        )

    async def turn(self) -> None:
        await self._courier.turn()

    async def rest(self) -> None:
        await self._courier.rest()

    async def end(self) -> None:
        await self._courier.drain()


class Notifying(Work):
    """Tells people what happens; at the end gives messages on their way a moment."""

    rest_seconds = POLL_SECONDS

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        self._notifier = Notifier(
            runtime.database,
            Sealer(runtime.secrets.api_key),
            [address.get_secret_value() for address in settings.notify],
            settings.base_url,
            Deliverer().deliver,
            runtime.metrics,
            on_change=runtime.announce_changes,
            now=runtime.now,
        )

    async def turn(self) -> None:
        await self._notifier.turn()

    async def end(self) -> None:
        await self._notifier.end()


def make_retention(runtime: Runtime, loop: Loop) -> Work:
    """Removes what is older than KEEP_DAYS; one process at a time."""
    keep = runtime.settings.keep or timedelta.max

    async def step() -> None:
        async with take_turn(runtime.database, "retention", now=runtime.now) as is_mine:
            if is_mine:
                removed = await remove_old(runtime.database, keep, runtime.now(), loop.progress)
                log.info("old_removed", messages=removed.messages, outbound=removed.outbound)

    return Chore(step, RETENTION_SECONDS)


def make_erasing(runtime: Runtime, loop: Loop) -> Work:
    """Finishes erasures that were begun, here or elsewhere; one process at a time."""

    async def step() -> None:
        if await runtime.make_eraser(loop.progress).advance():
            runtime.announce_changes()

    return Chore(step, ERASING_SECONDS)


def make_checking(runtime: Runtime, loop: Loop) -> Work:
    """Asks for the statuses of sent texts; one process at a time."""
    checker = Checker(
        runtime.database,
        runtime.get_provider(),
        runtime.settings.zone,
        runtime.metrics,
        on_change=runtime.announce_changes,
        now=runtime.now,
    )

    return _make_rounds(runtime, loop, "check", lambda chores: chores.checks, checker.check_due)


def make_settling(runtime: Runtime, loop: Loop) -> Work:
    """Looks for proof of what happened to uncertain texts; one process at a time."""
    resolver = UncertainResolver(
        runtime.database,
        runtime.get_provider(),
        runtime.settings.zone,
        runtime.settings.default_region,
        runtime.settings.uncertain_proof_seconds,
        runtime.metrics,
        # It may go out again, and lets the next text of its pair go.
        on_change=runtime.announce_texts,
        now=runtime.now,
    )

    return _make_rounds(runtime, loop, "settle", lambda chores: chores.proofs, resolver.resolve_due)


def _make_rounds(
    runtime: Runtime,
    loop: Loop,
    name: str,
    is_due: Callable[[Chores], bool],
    take_round: Callable[[], Awaitable[int]],
) -> Work:
    """Rounds until nothing more is due, unless another process is doing them."""

    async def step() -> None:
        if is_due(await runtime.database.read(find_chores, runtime.now())):
            async with take_turn(runtime.database, name, now=runtime.now) as is_mine:
                while is_mine and await take_round():
                    loop.progress()

    return Chore(step, CHORES_SECONDS)


class CreditChecks(Work):
    """Checks the credits regularly, and when the account should be tried again."""

    def __init__(self, runtime: Runtime, asks_credits: asyncio.Event) -> None:
        self._runtime = runtime
        self._asks_credits = asks_credits
        self._monitor = CreditMonitor(
            runtime.database,
            runtime.get_provider(),
            runtime.settings.low_credits,
            runtime.metrics,
            on_change=runtime.announce_changes,
            now=runtime.now,
        )

    async def turn(self) -> None:
        if not self._asks_credits.is_set():
            await self._monitor.look_if_due()
        else:
            self._asks_credits.clear()
            if await self._monitor.probe():
                self._runtime.wakeups.notify("outbound")

    async def rest(self) -> None:
        asking = asyncio.create_task(self._asks_credits.wait())
        await asyncio.wait({asking}, timeout=CREDITS_SECONDS)
        asking.cancel()
