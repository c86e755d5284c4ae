"""Runs the loops, in a process of their own or inside the web process."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

import structlog

from app.api.webhooks.subjects import render_subject
from app.domain.errors import SetupError
from app.ending import End, catching_end, limit_end
from app.loops import pace
from app.loops.following import make_checking, make_ending, make_settling
from app.loops.handling import Handling
from app.loops.sending import Batching, CreditChecks, Sending
from app.loops.telling import Delivering, Notifying
from app.loops.upkeep import make_alarms, make_erasing, make_reconciling, make_retention
from app.runtime import Runtime

# A report, which is a single step, may take 15 minutes.
REPORT_PATIENCE_SECONDS = 1200.0

log = structlog.get_logger("letterbox.worker")


async def work(runtime: Runtime) -> None:
    """A worker process: run the loops until a signal, then finish what is in progress.

    Raises SetupError if the database cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    end = End()

    def stop_soon(number: int, _: object) -> None:
        end.note(number)
        limit_end()
        # This also wakes a sleeping loop.
        loop.call_soon_threadsafe(stop.set)

    with catching_end(stop_soon, end):
        await runtime.start(on_failure=stop.set)
        heartbeat = runtime.data_dir.heartbeat

        def show_life() -> None:
            # A full disk must not stop the work; the health check reports it.
            with contextlib.suppress(OSError):
                heartbeat.touch()

        runtime.spawn_work(run_flows(runtime, on_turn=show_life))
        log.info("working")
        await stop.wait()
        await runtime.close()
        with contextlib.suppress(OSError):
            heartbeat.unlink(missing_ok=True)
    if runtime.failure is not None:
        raise SetupError(str(runtime.failure))


async def run_flows(runtime: Runtime, *, on_turn: Callable[[], None] = lambda: None) -> None:
    """Run every loop until cancelled; an error in one does not stop the others.

    `on_turn` is called at least every 30 seconds unless handling hangs.
    """
    while not runtime.prepared.is_set():
        on_turn()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pace.POLL_SECONDS):
                await runtime.prepared.wait()
    keep, asks_credits = runtime.loops.keep_turning, asyncio.Event()
    patience = REPORT_PATIENCE_SECONDS
    async with asyncio.TaskGroup() as flows:
        for loop in (
            keep("handling", lambda _: Handling(runtime, on_turn)),
            keep("batches", lambda _: Batching(runtime)),
            keep("ending", partial(make_ending, runtime)),
            keep("alarms", lambda _: make_alarms(runtime)),
            keep("webhooks", lambda _: Delivering(runtime, render_subject)),
            keep("notifying", lambda _: Notifying(runtime)),
            keep("erasing", partial(make_erasing, runtime), patience_seconds=patience),
        ):
            flows.create_task(loop)
        if runtime.settings.keep is not None:
            flows.create_task(keep("retention", partial(make_retention, runtime)))
        # These need the provider's account.
        if runtime.provider is not None:
            for loop in (
                keep("sending", lambda _: Sending(runtime, asks_credits)),
                keep("credits", lambda _: CreditChecks(runtime, asks_credits)),
                keep("checking", partial(make_checking, runtime), patience_seconds=patience),
                keep("settling", partial(make_settling, runtime), patience_seconds=patience),
            ):
                flows.create_task(loop)
            if runtime.settings.reconcile_seconds:
                make = partial(make_reconciling, runtime)
                flows.create_task(keep("reconciliation", make, patience_seconds=patience))
