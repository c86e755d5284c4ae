"""Runs the flows that loop: in a process of its own, or beside the web process's requests."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog

from app.domain.errors import SetupError
from app.loops import (
    POLL_SECONDS,
    run_alarms,
    run_checking,
    run_ending,
    run_handling,
    run_reconciling,
    run_sending,
    run_settling,
    run_watching,
)
from app.runtime import Runtime

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
        flows.create_task(run_handling(runtime, on_turn))
        flows.create_task(run_ending(runtime))
        flows.create_task(run_alarms(runtime))
        if runtime.provider is not None:
            for loop in _list_provider_loops(runtime):
                flows.create_task(loop)


def _list_provider_loops(runtime: Runtime) -> Iterator[Coroutine[Any, Any, None]]:
    """What nobody can do without the provider's account."""
    asks_credits = asyncio.Event()
    yield run_sending(runtime, asks_credits)
    yield run_watching(runtime, asks_credits)
    yield run_checking(runtime)
    yield run_settling(runtime)
    if runtime.settings.reconcile_seconds:
        yield run_reconciling(runtime)
