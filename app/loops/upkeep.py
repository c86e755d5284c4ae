"""Compares, watches and tidies up, now and then and in one process at a time."""

from datetime import timedelta

import structlog

from app.flows.operations.alarms.raise_alarms import raise_alarms
from app.flows.operations.processes.leader import take_turn
from app.flows.operations.processes.supervise import Chore, Loop, Work
from app.flows.operations.retain import remove_old
from app.runtime import Runtime

ALARMS_SECONDS = 60.0
RETENTION_SECONDS = 3600.0
ERASING_SECONDS = 2.0

log = structlog.get_logger("letterbox.loops")


def make_reconciling(runtime: Runtime, loop: Loop) -> Work:
    """Compares what arrived with the provider's report, every RECONCILE_SECONDS."""
    reconciler = runtime.make_reconciler()

    async def step() -> None:
        result = await reconciler.run(lambda _: loop.progress())
        if result is not None:
            runtime.note_reconciliation(result)

    return Chore(step, runtime.settings.reconcile_seconds)


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
