"""Runs the flows that loop: in a process of its own, or beside the web process's requests."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

import structlog

from app.domain.errors import LetterboxError, SetupError, Unavailable
from app.flows.handle import BATCH_ROWS, handle_batch
from app.runtime import Runtime
from app.storage.text_search import merge_index

POLL_SECONDS = 1.0
# While messages stream in, the flows beside them take short turns, so many times their length
# apart: about a tenth of the process's time.
BUSY_BATCH_ROWS = 20
GIVE_WAY = 8

log = structlog.get_logger("letterbox.worker")


async def work(runtime: Runtime) -> None:
    """A worker process: run the flows until SIGTERM or SIGINT, then finish the step under way.

    Raises SetupError where the database does not suit.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runtime.start(on_failure=stop.set)
    pulse = runtime.data_dir.pulse

    def show_life() -> None:
        # A full disk keeps nobody from working; the health check then says what it sees.
        with contextlib.suppress(OSError):
            pulse.touch()

    runtime.spawn(run_flows(runtime, on_turn=show_life))
    log.info("working")
    await stop.wait()
    await runtime.close()
    with contextlib.suppress(OSError):
        pulse.unlink(missing_ok=True)
    if runtime.failure is not None:
        raise SetupError(str(runtime.failure))


async def run_flows(runtime: Runtime, *, on_turn: Callable[[], None] = lambda: None) -> None:
    """Every flow's loop until cancelled; no failure of a step ends one.

    `on_turn` is called at least every few seconds for as long as the loops turn.
    """
    while not runtime.prepared.is_set():
        on_turn()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await runtime.prepared.wait()
    async with asyncio.TaskGroup() as flows:
        flows.create_task(_run_handling(runtime, on_turn))
        if runtime.provider is not None and runtime.settings.reconcile_seconds:
            flows.create_task(_run_reconciling(runtime))


async def _run_handling(runtime: Runtime, on_turn: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        on_turn()
        busy = runtime.intake is not None and runtime.intake.is_busy
        began = loop.time()
        try:
            if not await _handle(runtime, BUSY_BATCH_ROWS if busy else BATCH_ROWS):
                await runtime.wakeups.wait("messages", POLL_SECONDS)
                continue
        except Unavailable as error:
            log.debug("handling_later", error=str(error))
            await asyncio.sleep(POLL_SECONDS)
        except Exception:
            log.exception("handling_failed")
            await asyncio.sleep(POLL_SECONDS)
        if busy:
            await asyncio.sleep(GIVE_WAY * (loop.time() - began))


async def _run_reconciling(runtime: Runtime) -> None:
    reconciler = runtime.make_reconciler()
    while True:
        try:
            result = await reconciler.run()
        except LetterboxError as error:
            log.warning("reconciliation_failed", error=str(error))
        except Exception:
            log.exception("reconciliation_failed")
        else:
            if result is not None:
                runtime.note_reconciliation(result)
        await asyncio.sleep(runtime.settings.reconcile_seconds)


async def _handle(runtime: Runtime, rows: int) -> bool:
    """Do a step; returns whether there may be more to do at once."""
    handled = await runtime.database.write(
        handle_batch, runtime.now(), limit=rows, limits=runtime.settings.reply_limits
    )
    if handled:
        runtime.metrics.handled.inc(handled.messages)
        for outcome, count in handled.outcomes.items():
            runtime.metrics.outcomes.labels(outcome).inc(count)
        runtime.wakeups.ring("events")
    if handled.queued:
        runtime.wakeups.ring("outbound")
    merging = runtime.database.dialect == "sqlite" and await runtime.database.write(merge_index)
    return bool(handled or merging)
