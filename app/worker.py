"""Runs the flows that loop: in a process of its own, or beside the web process's requests."""

import asyncio
import signal

import structlog

from app.domain.errors import SetupError, Unavailable
from app.flows.handle import handle_batch
from app.runtime import Runtime
from app.storage.text_search import merge_index

POLL_SECONDS = 1.0
# While messages stream in, the flows beside them take a short turn now and then.
GIVE_WAY_SECONDS = 0.25

log = structlog.get_logger("letterbox.worker")


async def work(runtime: Runtime) -> None:
    """A worker process: run the flows until SIGTERM or SIGINT, then finish the step under way.

    Raises SetupError where the database does not suit.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runtime.start(on_failure=stop.set)
    runtime.spawn(run_flows(runtime))
    log.info("working")
    await stop.wait()
    await runtime.close()
    if runtime.failure is not None:
        raise SetupError(str(runtime.failure))


async def run_flows(runtime: Runtime) -> None:
    """Every flow's loop until cancelled; no failure of a step ends one."""
    await runtime.prepared.wait()
    await _run_handling(runtime)


async def _run_handling(runtime: Runtime) -> None:
    while True:
        try:
            handled = await runtime.database.write(handle_batch, runtime.now())
            if handled:
                runtime.metrics.handled.inc(handled)
                runtime.wakeups.ring("events")
                await runtime.database.write(merge_index)
            elif not await runtime.database.write(merge_index):
                await runtime.wakeups.wait("messages", POLL_SECONDS)
        except Unavailable as error:
            log.debug("handling_later", error=str(error))
            await asyncio.sleep(POLL_SECONDS)
        except Exception:
            log.exception("handling_failed")
            await asyncio.sleep(POLL_SECONDS)
        if runtime.intake is not None and runtime.intake.is_busy:
            await asyncio.sleep(GIVE_WAY_SECONDS)
