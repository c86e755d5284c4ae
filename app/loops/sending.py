"""Sends the texts of the outbox, makes those of batches, and watches the credits they cost."""

import asyncio
import secrets

from app.flows.operations.alarms.credit_monitor import CreditMonitor
from app.flows.operations.processes.supervise import Work
from app.flows.outbound.batches.send_batch import advance_batches
from app.flows.outbound.sending.send import Sender, SendPolicy
from app.loops import pace
from app.runtime import Runtime

CREDITS_SECONDS = 30.0


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
        self._pause_seconds = pace.GIVE_WAY * taken if busy else 0.0
        wait = pace.POLL_SECONDS if claim.wait_seconds is None else claim.wait_seconds
        self._wait_seconds = min(wait, pace.POLL_SECONDS)

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
        self._pause_seconds = pace.GIVE_WAY * taken if busy else 0.0
        if done:
            runtime.announce_texts()

    async def rest(self) -> None:
        if self._is_idle:
            await self._runtime.wakeups.wait("batches", pace.POLL_SECONDS)
        elif self._pause_seconds:
            await asyncio.sleep(self._pause_seconds)


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
