"""The loops: each takes the steps of one flow again and again, and no step's failure ends it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from app.domain.errors import LetterboxError, Unavailable
from app.flows.answer import RuleBook
from app.flows.handle import BATCH_ROWS, Handled, handle_batch
from app.flows.raise_alarms import raise_alarms
from app.flows.send import Sender, SendPolicy
from app.flows.settle import Settler
from app.flows.sync import Checker
from app.flows.take_turns import take_turn
from app.flows.watch import Watcher
from app.runtime import Runtime
from app.storage.backlog import find_chores
from app.storage.lapses import end_leases, expire_overdue
from app.storage.text_search import merge_index

POLL_SECONDS = 1.0
# While messages stream in, the flows beside them take short turns, so many times their length
# apart.
GIVE_WAY = 8
# On SQLite each turn of handling holds up a batch, and fewer than one message in a hundred should
# wait for it. It takes more turns the further it is behind, and all it needs from MAX_LAG on,
# however long the stream lasts.
BUSY_BATCH_ROWS = 20
HANDLING_GIVE_WAY = 80
MAX_PAUSE_SECONDS = 0.5
MAX_LAG = timedelta(seconds=20)
# Tidying waits so long for the sender to take what answers: SQLite has one writer.
ANSWERS_FIRST_SECONDS = 0.01
# What a lease or a check waits for takes seconds at least.
CHORES_SECONDS = 2.0
CHORES_ROWS = 100
CREDITS_SECONDS = 30.0
ALARMS_SECONDS = 60.0

log = structlog.get_logger("letterbox.worker")


async def run_handling(runtime: Runtime, on_turn: Callable[[], None]) -> None:
    """Handle messages as they are stored."""
    loop = asyncio.get_running_loop()
    lag = timedelta()
    book = RuleBook()
    while True:
        on_turn()
        busy = runtime.intake is not None and runtime.intake.is_busy
        patience = choose_patience(lag) if busy else 0.0
        began = loop.time()
        rows = BUSY_BATCH_ROWS if patience > 0.5 else BATCH_ROWS
        try:
            handled = await _handle(runtime, book, rows)
            merging = await _merge(runtime, handled)
            lag = runtime.now() - handled.oldest_at if handled.oldest_at else timedelta()
            # What has been stored since has rung the bell; in a stream it is time for the pause.
            if not merging and handled.messages < (1 if patience else rows):
                await runtime.wakeups.wait("messages", POLL_SECONDS)
                continue
        except Unavailable as error:
            log.debug("handling_later", error=str(error))
            await asyncio.sleep(POLL_SECONDS)
        except Exception:
            log.exception("handling_failed")
            await asyncio.sleep(POLL_SECONDS)
        if patience:
            pause = HANDLING_GIVE_WAY * (loop.time() - began)
            await asyncio.sleep(patience * min(pause, MAX_PAUSE_SECONDS))


def choose_patience(lag: timedelta) -> float:
    """What part of the full pause handling makes for a stream: 1 at its head, 0 far behind."""
    return max(0.0, 1 - lag / MAX_LAG)


async def _handle(runtime: Runtime, book: RuleBook, rows: int) -> Handled:
    handled = await runtime.database.write(
        handle_batch,
        runtime.now(),
        limit=rows,
        limits=runtime.settings.reply_limits,
        book=book,
    )
    if handled:
        runtime.metrics.handled.inc(handled.messages)
        for outcome, count in handled.outcomes.items():
            runtime.metrics.outcomes.labels(outcome).inc(count)
        runtime.wakeups.ring("events")
    if handled.queued:
        runtime.wakeups.ring("outbound")
    return handled


async def _merge(runtime: Runtime, handled: Handled) -> bool:
    """Do a step of tidying; returns whether there may be more to do at once."""
    if runtime.database.dialect != "sqlite":
        return False
    if handled.queued:
        await asyncio.sleep(ANSWERS_FIRST_SECONDS)
    return await runtime.database.write(merge_index)


async def run_reconciling(runtime: Runtime) -> None:
    """Compare what arrived with the provider's report, every RECONCILE_SECONDS."""
    reconciler = runtime.make_reconciler()

    async def step() -> None:
        result = await reconciler.run()
        if result is not None:
            runtime.note_reconciliation(result)

    await _repeat(step, runtime.settings.reconcile_seconds, "reconciliation")


async def run_sending(runtime: Runtime, asks_credits: asyncio.Event) -> None:
    """Send what waits, as it comes and as its time does; at the end let calls under way finish.

    Sets `asks_credits` where the account is to be tried again and there is no text to try it with.
    """
    sender = _make_sender(runtime)
    loop = asyncio.get_running_loop()
    try:
        while True:
            busy = runtime.intake is not None and runtime.intake.is_busy
            began = loop.time()
            seconds = await _send(sender, asks_credits)
            if busy:
                await asyncio.sleep(GIVE_WAY * (loop.time() - began))
            if not sender.finished:
                await _wait_for_work(runtime, sender, seconds)
    finally:
        await sender.drain()


async def _send(sender: Sender, asks_credits: asyncio.Event) -> float:
    """Take a turn; returns in how many seconds the next one is due by itself."""
    try:
        claim = await sender.turn()
    except Unavailable as error:
        log.debug("sending_later", error=str(error))
        await asyncio.sleep(POLL_SECONDS)
        return 0.0
    if claim.asks_credits:
        asks_credits.set()
    return POLL_SECONDS if claim.wait_seconds is None else min(claim.wait_seconds, POLL_SECONDS)


async def _wait_for_work(runtime: Runtime, sender: Sender, seconds: float) -> None:
    """Until a text is queued, a call ends, or the time is over; where it can use no text, a call
    must end first.
    """
    if not sender.wanted:
        await asyncio.wait(sender.calls, return_when=asyncio.FIRST_COMPLETED)
    elif seconds:
        bell = asyncio.create_task(runtime.wakeups.wait("outbound", seconds))
        await asyncio.wait({bell, *sender.calls}, return_when=asyncio.FIRST_COMPLETED)
        bell.cancel()


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
        on_change=lambda: runtime.wakeups.ring("events"),
        draw=secrets.SystemRandom().random,
    )


async def run_ending(runtime: Runtime) -> None:
    """End the leases of those who died, and texts whose time is over."""

    async def step() -> None:
        chores = await runtime.database.read(find_chores, runtime.now())
        ended = 0
        if chores.leases:
            ended += await runtime.database.write(end_leases, limit=CHORES_ROWS)
        # After a long pause they are many, and nobody should have to wait for what is over.
        while chores.overdue and (
            count := await runtime.database.write(expire_overdue, runtime.now(), limit=CHORES_ROWS)
        ):
            ended += count
        if ended:
            runtime.wakeups.ring("events")

    await _repeat(step, CHORES_SECONDS, "ending")


async def run_alarms(runtime: Runtime) -> None:
    """Look whether texts still come in as they should; one process at a time."""

    async def step() -> None:
        async with take_turn(runtime.database, "alarms", now=runtime.now) as is_mine:
            if is_mine and await raise_alarms(
                runtime.database, timezone=runtime.settings.provider_timezone, now=runtime.now()
            ):
                runtime.wakeups.ring("events")

    await _repeat(step, ALARMS_SECONDS, "alarms")


async def run_checking(runtime: Runtime) -> None:
    """Ask what became of the texts that were sent; one process at a time."""
    checker = Checker(
        runtime.database,
        runtime.get_provider(),
        runtime.settings.zone,
        runtime.metrics,
        on_change=lambda: runtime.wakeups.ring("events"),
        now=runtime.now,
    )

    async def step() -> None:
        if (await runtime.database.read(find_chores, runtime.now())).checks:
            await _take_rounds(runtime, "check", checker.check_due)

    await _repeat(step, CHORES_SECONDS, "checking")


async def run_settling(runtime: Runtime) -> None:
    """Look for proofs of what became of uncertain texts; one process at a time."""
    settler = Settler(
        runtime.database,
        runtime.get_provider(),
        runtime.settings.zone,
        runtime.settings.default_region,
        runtime.settings.uncertain_proof_seconds,
        runtime.metrics,
        on_change=lambda: _ring_for_changes(runtime),
        now=runtime.now,
    )

    async def step() -> None:
        if (await runtime.database.read(find_chores, runtime.now())).proofs:
            await _take_rounds(runtime, "settle", settler.settle_due)

    await _repeat(step, CHORES_SECONDS, "settling")


def _ring_for_changes(runtime: Runtime) -> None:
    """A text that is settled may go out again, and lets the next one of its pair go."""
    runtime.wakeups.ring("events")
    runtime.wakeups.ring("outbound")


async def _take_rounds(
    runtime: Runtime, name: str, take_round: Callable[[], Awaitable[int]]
) -> None:
    """Round after round until nothing more is due, where no other process does so."""
    async with take_turn(runtime.database, name, now=runtime.now) as is_mine:
        while is_mine and await take_round():
            pass


async def run_watching(runtime: Runtime, asks_credits: asyncio.Event) -> None:
    """Look at the credits now and then, and where somebody asks for them to try the account."""
    watcher = Watcher(
        runtime.database,
        runtime.get_provider(),
        runtime.settings.low_credits,
        runtime.metrics,
        on_change=lambda: runtime.wakeups.ring("events"),
        now=runtime.now,
    )

    async def step() -> None:
        if not asks_credits.is_set():
            await watcher.look_if_due()
        else:
            asks_credits.clear()
            if await watcher.probe():
                runtime.wakeups.ring("outbound")

    async def wait(seconds: float) -> None:
        asking = asyncio.create_task(asks_credits.wait())
        await asyncio.wait({asking}, timeout=seconds)
        asking.cancel()

    await _repeat(step, CREDITS_SECONDS, "watching", wait=wait)


async def _repeat(
    step: Callable[[], Awaitable[None]],
    seconds: float,
    name: str,
    *,
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Take the step for ever, with so many seconds between."""
    while True:
        try:
            await step()
        except Unavailable as error:
            log.debug("step_later", loop=name, error=str(error))
        except LetterboxError as error:
            log.warning("step_failed", loop=name, error=str(error))
        except Exception:
            log.exception("step_failed", loop=name)
        await wait(seconds)
