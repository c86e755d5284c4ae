"""Everything a process runs on: how it starts, what it shares, and how it closes."""

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from app.announcements import Announcements
from app.domain.errors import LoginRefused, NoProvider, SetupError, describe_cause
from app.flows.access.auth_gate import AuthGate
from app.flows.inbound.receive import Receiver
from app.flows.inbound.reconcile import Reconciler, Reconciliation
from app.flows.operations.deferred_writes import DeferredWrites
from app.flows.operations.erasures.erase_number import Eraser
from app.flows.operations.erasures.load_key import load_key
from app.flows.operations.event_stream import EventTail
from app.flows.operations.housekeeping import TICK_SECONDS, Housekeeper
from app.flows.operations.processes.keep_time import LOOK_SECONDS, TimeKeeper
from app.flows.operations.processes.metrics import Metrics
from app.flows.operations.processes.supervise import Chore, LoopAlerts, Loops
from app.flows.outbound.sending.note_answers import AnswerNotes
from app.provider.client import ProviderClient
from app.setting_types import EVERYWHERE
from app.settings import Settings
from app.shared_secrets import SharedSecrets
from app.storage.access.secrets import register_secrets
from app.storage.data_dir import DataDir
from app.storage.db.database import Database
from app.storage.db.migrate import migrate
from app.storage.db.wakeups import Wakeups
from app.storage.inbound.intake import Intake
from app.storage.spool.identity import Identity, has_had_messages, read_database_id

CONNECT_SECONDS = 1.0
FIRST_CONNECT_SECONDS = 5.0
# Docker kills after 10 s, compose after 15: an orderly stop ends within this after SIGTERM.
END_SECONDS = 9.5
# How much of it is kept for the last steps.
LAST_STEPS_SECONDS = 1.5
ABANDON_SECONDS = 0.5
FAILOVER_SECONDS = 5.0
# Reading a large spool that another process left behind takes time.
HOUSEKEEPING_PATIENCE_SECONDS = 600.0

log = structlog.get_logger("letterbox")


@dataclass
class Runtime(Announcements):
    """Everything a process runs on. `start` before use, `close` after."""

    settings: Settings
    secrets: SharedSecrets
    data_dir: DataDir
    database: Database
    metrics: Metrics
    deferred_writes: DeferredWrites
    wakeups: Wakeups
    auth_gate: AuthGate
    housekeeper: Housekeeper
    intake: Intake | None
    identity: Identity
    provider: ProviderClient | None
    answer_notes: AnswerNotes
    events: EventTail
    now: Callable[[], datetime]
    time_keeper: TimeKeeper | None = None
    prepared: asyncio.Event = field(default_factory=asyncio.Event)
    failure: SetupError | None = None
    database_error: str = "it does not answer"
    is_login_refused: bool = False
    loops: Loops = field(default_factory=Loops)
    # Held by the export that is making a page (api/core/exports.py).
    exporting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tried: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _work: set[asyncio.Task[None]] = field(default_factory=set)
    _end_by: float | None = None

    @property
    def receiver(self) -> Receiver:
        """The receive flow; only in a web process."""
        if self.intake is None:
            raise RuntimeError("a worker takes no forwards")
        networks = self.settings.forwarders
        return Receiver(
            self.auth_gate,
            self.intake,
            forwarders=None if networks == EVERYWHERE else networks,
            zone=self.settings.zone,
            region=self.settings.default_region,
            deferred_writes=self.deferred_writes,
            now=self.now,
            make_nonce=_make_nonces(secrets.token_bytes(16)),
        )

    def get_provider(self) -> ProviderClient:
        """The client of the provider's API. Raises NoProvider where no token is set."""
        if self.provider is None:
            raise NoProvider
        return self.provider

    def make_reconciler(self) -> Reconciler:
        """The reconcile flow. Raises NoProvider where no token is set."""
        return Reconciler(
            self.database,
            self.get_provider(),
            zone=self.settings.zone,
            region=self.settings.default_region,
            now=self.now,
            keep=self.settings.keep,
        )

    def make_eraser(self, on_step: Callable[[], None] = lambda: None) -> Eraser:
        """The flow that finishes erasures."""
        settings = self.settings
        return Eraser(
            self.database,
            self.get_provider,
            settings.data_dir,
            settings.default_region,
            self.now,
            on_step,
        )

    def begin_erasing(self) -> None:
        """Go on with erasures now; where this process ends before, a worker goes on."""

        async def erase() -> None:
            if await self.make_eraser().advance():
                self.announce_changes()

        self.spawn_work(erase())

    def note_reconciliation(self, result: Reconciliation) -> None:
        """Count what a run found, and wake whoever handles it."""
        self.metrics.reported.inc(result.reported)
        self.metrics.missing.inc(result.missing)
        self.metrics.reconciled_at.set(self.now().timestamp())
        if result.missing:
            log.warning("messages_missing", count=result.missing, since=result.since.isoformat())
            self.wakeups.notify("messages")

    async def start(self, *, on_failure: Callable[[], None]) -> None:
        """Take messages at once; reach the database now or later.

        Raises SetupError where the database suits no start. Where that shows only later, once the
        database has come back, `on_failure` is called and `failure` says why.
        """
        self.wakeups.start()
        if self.intake is not None:
            await self.intake.start()
        preparing = self.spawn(self._prepare_until_done())
        trying = asyncio.create_task(self._tried.wait())
        # SQLite's file is opened and migrated, however long that takes.
        patience = FIRST_CONNECT_SECONDS if self.settings.is_postgres else None
        await asyncio.wait({preparing, trying}, timeout=patience, return_when="FIRST_COMPLETED")
        trying.cancel()
        if not preparing.done():
            log.warning(
                "database_away",
                error=self.database_error,
                messages="go to the spool until it comes back",
            )
            preparing.add_done_callback(lambda _: on_failure() if self.failure else None)
        elif self.failure is not None:
            await self.close()
            raise self.failure

    @property
    def is_working(self) -> bool:
        """Whether loops run that `stop_work` ends."""
        return bool(self._work)

    def stop_work(self) -> None:
        """Begin to stop: the loops begin no more turns, and may finish the current one.

        This runs while requests are still being answered; `close` waits for it.
        """
        if self._end_by is None:
            self._end_by = asyncio.get_running_loop().time() + END_SECONDS
        for task in self._work:
            task.cancel()

    async def close(self) -> None:
        """Finish what was accepted, deregister the process and close everything.

        Even if something hangs, it ends END_SECONDS after `stop_work`: nothing that was
        acknowledged depends on it.
        """
        if self._end_by is None:
            self.stop_work()
        await self.events.close()
        closing = asyncio.create_task(self._close())
        # Not a timeout: cancelling calls to a server that hangs would take more seconds.
        await asyncio.wait({closing}, timeout=self._count_seconds_left())
        if closing.done():
            closing.result()
        else:
            self.database.abandon()
            closing.cancel()
            log.warning("ended_early", reason="something did not stop in time")

    async def _close(self) -> None:
        if self.intake is not None:
            await self.intake.close()
        for task in self._tasks - self._work:
            task.cancel()
        await self._wait_for_tasks(self._count_seconds_left() - LAST_STEPS_SECONDS)
        if self._tasks:
            # Their last steps hang; their work is settled when their leases end.
            self.database.abandon()
            for task in self._tasks:
                task.cancel()
            await self._wait_for_tasks(ABANDON_SECONDS)
        if self.prepared.is_set():
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):
                    await self.housekeeper.deregister()
        await self.answer_notes.close()
        if self.provider is not None:
            await self.provider.aclose()
        await self.wakeups.close()
        await self.database.close()

    async def _wait_for_tasks(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=max(seconds, 0.0))

    def _count_seconds_left(self) -> float:
        now = asyncio.get_running_loop().time()
        return END_SECONDS if self._end_by is None else max(self._end_by - now, 0.0)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something in the background until `close` cancels it; a failure is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def spawn_work(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The same until `stop_work`."""
        task = self.spawn(work)
        self._work.add(task)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._work.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("task_failed", task=str(task.get_coro()), exc_info=task.exception())

    async def _prepare_until_done(self) -> None:
        while True:
            try:
                await self._prepare()
            except SetupError as error:
                self.failure = error
                return
            except Exception as error:  # noqa: BLE001 whatever it is, the spool takes messages
                self.is_login_refused = isinstance(error, LoginRefused)
                described = describe_cause(error)
                # Once for each reason except the first, which `start` logs.
                is_new = self._tried.is_set() and described != self.database_error
                (log.warning if is_new else log.debug)("database_away", error=described)
                self.database_error = described
                self._tried.set()
                await asyncio.sleep(CONNECT_SECONDS)
            else:
                return

    async def _prepare(self) -> None:
        """Schema, shared secrets, auth values, then what lies in the spools."""
        await self.database.look_for_failover()
        revision = await migrate(self.database)
        if revision:
            log.info("migrated", revision=revision)
        if self.time_keeper is not None:
            await self.time_keeper.look()
        shared = {"inbound_auth": self.secrets.inbound_auth, "api_key": self.secrets.api_key}
        await self.database.write(register_secrets, shared, self.secrets.generated)
        await load_key(self.database, self.data_dir, self.secrets.api_key)
        await self.auth_gate.refresh()
        if await self.database.read(has_had_messages):
            self.data_dir.remember_messages(self.identity.place)
        elif self.data_dir.remembers_messages(self.identity.place):
            self.deferred_writes.on_emptied(self.identity.place)
        if self.intake is not None:
            identity = replace(self.identity, id=await self.database.write(read_database_id))
            await self.intake.identify(identity)
            await self.intake.recover()
        tending = Chore(self.housekeeper.tick, TICK_SECONDS)
        patience = HOUSEKEEPING_PATIENCE_SECONDS
        keep = self.loops.keep_turning
        self.spawn(keep("housekeeping", lambda _: tending, patience_seconds=patience))
        if self.time_keeper is not None:
            clock = Chore(self.time_keeper.look, LOOK_SECONDS)
            self.spawn(keep("clock", lambda _: clock))
        if self.settings.is_postgres:
            looking = Chore(self.database.look_for_failover, FAILOVER_SECONDS)
            self.spawn(keep("failover", lambda _: looking))
        self.spawn(keep("loop-alerts", lambda _: self._watch_loops()))
        self.prepared.set()

    def _watch_loops(self) -> LoopAlerts:
        return LoopAlerts(
            self.loops,
            self.database,
            f"{socket.gethostname()}, process {os.getpid()}",
            self.now,
            on_change=self.announce_changes,
        )


def _make_nonces(seed: bytes) -> Callable[[], bytes]:
    """Bytes that never come again: asking the system each time would cost a switch of threads."""
    numbers = itertools.count()
    return lambda: seed + next(numbers).to_bytes(8, "big")
