"""Makes each accepted message durable: group commit while the database is well, else the spool."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol

import structlog

from app.domain.errors import NothingDurable, describe_cause
from app.domain.inbound.messages import InboundMessage
from app.storage.durable import SpoolError
from app.storage.inbound.batch_store import BatchStore
from app.storage.inbound.draining import MAX_BATCH_BYTES, MAX_BATCH_ROWS, Drainer, DrainListener
from app.storage.inbound.inbound import Inserter
from app.storage.spool.identity import Identity
from app.storage.spool.own_spool import OwnSpool

# After this long a message goes to the spool, whatever the database may still do with it.
DEADLINE_SECONDS = 1.0
# Batches that follow each other within so long are a stream, to which others should give way: the
# first where they have so many rows that more comes than is stored at once, the second for fewer.
STREAM_SECONDS = 0.05
STREAM_ROWS = 8
QUICK_SECONDS = 0.002
# Who has sent so lately may send again.
USED_SECONDS = 2.0
PROBE_SECONDS = 0.5
PROBE_PATIENCE_SECONDS = 5.0
# How often we look whether the database is still the one that others find: while batches come, and
# while none does.
LOOK_SECONDS = 0.1
IDLE_LOOK_SECONDS = 1.0
# So that a full or read-only disk is known before the spool is needed.
SPOOL_PROBE_SECONDS = 30.0

log = structlog.get_logger("letterbox.intake")


class IntakeListener(DrainListener, Protocol):
    """Who is told what happened to messages; called on the event loop, must not block."""

    def on_stored(self, rows: int) -> None: ...

    def on_kept(self, rows: int, *, in_spool: bool, seconds: float) -> None: ...

    def on_spool_moved(self, path: Path, lost: int) -> None: ...


# Called once for a message: with None when it is on disk, with the error where no place takes it.
OnStored = Callable[[NothingDurable | None], None]


class _Waiting(NamedTuple):
    message: InboundMessage
    done: OnStored
    deadline: float


class Intake:
    """One task takes what has queued, commits it as one batch and wakes all who wait for it.

    There is no timer: while a batch is being committed the next one gathers. Where the database
    fails or is late, batch and queue go to the spool (`direct` turns false) until a probe's
    rolled-back insert succeeds and the spool has been drained, in order.

    A database can go without an error: somebody removes its file, and all that is committed from
    then on is gone with it. So we look, and what was committed since the last look that found it
    in place goes to the spool as well; a message that is in both is stored once.
    """

    def __init__(
        self,
        inserter: Inserter,
        spool_root: Path,
        *,
        now: Callable[[], datetime],
        process_id: str,
        listener: IntakeListener,
        identity: Identity | None = None,
    ) -> None:
        """`identity` is the database's as far as it is known; None: whatever lies there is ours."""
        self._identity = identity
        self.direct = False
        self.spool_error: str | None = None
        self.database_error: str | None = "not connected yet"
        self._listener = listener
        # Held while a batch is on its way to disk: the writer's, or the drain's.
        self._order = asyncio.Lock()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._drainer = Drainer(spool_root, self._order, listener, self._disk)
        self._storer = BatchStore(
            inserter, now=now, on_stored=listener.on_stored, set_aside=self._drainer.set_aside
        )
        mark = identity.to_bytes() if identity else None
        self._spool = OwnSpool(spool_root, process_id, mark=mark)
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        # Set from a failure of the database on until it is trusted again.
        self._trouble = asyncio.Event()
        self._recovering = asyncio.Lock()
        self._batch_at = -USED_SECONDS
        self._pause = STREAM_SECONDS
        self._batch_rows = 0
        # Committed since the last look that found the database in place.
        self._unconfirmed: list[InboundMessage] = []
        self._looked_at = 0.0
        self._looking: asyncio.TimerHandle | None = None
        self._spool_probed_at = 0.0
        # The database takes what is in the spools.
        self._draining = False
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def depth(self) -> int:
        """Messages that lie in this process's spool."""
        return self._spool.depth

    @property
    def spool_bytes(self) -> int:
        """How much of the disk this process's spool takes."""
        return self._spool.disk_bytes

    @property
    def can_acknowledge(self) -> bool:
        return self.direct or self.spool_error is None

    @property
    def is_storing(self) -> bool:
        """Whether somebody waits for a message to be stored."""
        return bool(self._queue) or self._order.locked()

    @property
    def is_used(self) -> bool:
        """Whether messages came a moment ago."""
        return monotonic() - self._batch_at < USED_SECONDS

    @property
    def is_busy(self) -> bool:
        """Whether messages stream in, rather than a few now and then."""
        since = monotonic() - self._batch_at
        longest = STREAM_SECONDS if self._batch_rows >= STREAM_ROWS else QUICK_SECONDS
        return self._pause < longest and since < STREAM_SECONDS

    async def start(self) -> None:
        """Begin to take messages; they go to the spool until `recover` has succeeded once."""
        # Its file is made at once, so that whoever comes after a crash finds it.
        await self._probe_spool()
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._watch())]

    def put(self, message: InboundMessage, done: OnStored) -> None:
        """Queue a message; `done` is called on the event loop and must not block."""
        self._queue.append(_Waiting(message, done, monotonic() + DEADLINE_SECONDS))
        self._wake.set()

    async def close(self) -> None:
        """Finish what was accepted, then let go of the spool."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        if self._tasks:
            writer, watcher = self._tasks
            watcher.cancel()
            await asyncio.wait({writer, watcher})
        if self._looking is not None:
            self._looking.cancel()
        self._look()
        await self._spool_unconfirmed()
        self._storer.abandon()
        await self._drainer.on_disk(self._spool.give_up)
        self._report_spool()
        self._disk.shutdown()

    async def identify(self, identity: Identity) -> None:
        """The database has told which one it is."""
        self._identity = identity
        try:
            await self._drainer.on_disk(lambda: self._spool.write_mark(identity.to_bytes()))
        except SpoolError as error:
            self._note_spool_error(error)

    async def recover(self) -> None:
        """Probe the database, drain every spool within reach, then store directly again.

        Raises what the database raised; the messages stay in the spool.
        """
        async with self._recovering:
            if self.direct:
                return
            async with self._order:
                await self._spool_unconfirmed()
            try:
                # Whoever waits for the spool's next append must not wait for the probe.
                await self._storer.probe(within_seconds=PROBE_PATIENCE_SECONDS)
                self._draining = True
                await self.drain_abandoned()
                await self._drain_own()
            except Exception as error:
                self.database_error = describe_cause(error)
                self._storer.abandon()
                raise
            finally:
                self._draining = False

    async def drain_abandoned(self) -> None:
        """Store what processes that are gone left behind, and remove their folders."""
        try:
            await self._drainer.drain_abandoned(self._storer, self._identity)
        except SpoolError as error:
            self._note_spool_error(error)

    async def _write(self) -> None:
        while not (self._closing and not self._queue):
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            async with self._order:
                batch = self._take_batch()
                try:
                    await self._keep_batch(batch)
                except Exception:
                    # Nothing may end the writer: all who come later would wait for ever.
                    log.exception("batch_failed", messages=len(batch))
                    _tell(batch, NothingDurable("an unforeseen error"))

    def _take_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < MAX_BATCH_ROWS and size < MAX_BATCH_BYTES:
            waiting = self._queue.popleft()
            size += len(waiting.message.raw) + len(waiting.message.body)
            batch.append(waiting)
        return batch

    async def _keep_batch(self, batch: list[_Waiting]) -> None:
        now = monotonic()
        self._pause, self._batch_at = now - self._batch_at, now
        self._batch_rows = len(batch)
        if now - self._looked_at >= LOOK_SECONDS:
            self._look()
        if self.direct:
            messages = [waiting.message for waiting in batch]
            try:
                await self._storer.store(messages, within_seconds=batch[0].deadline - now)
            except Exception as error:  # noqa: BLE001 whatever it was, the spool takes the batch
                self._open_breaker(error)
                self._look()
            else:
                self._unconfirmed += messages
                self._look_soon()
        # It may have been opened meanwhile by a look.
        if self.direct:
            self._finish(batch, in_spool=False)
            return
        await self._spool_unconfirmed()
        await self._spool_batch(batch)

    async def _spool_batch(self, batch: list[_Waiting]) -> None:
        errors = await self._append([waiting.message for waiting in batch])
        kept = [waiting for waiting, error in zip(batch, errors, strict=True) if error is None]
        if kept:
            self._finish(kept, in_spool=True)
        left = [waiting for waiting, error in zip(batch, errors, strict=True) if error is not None]
        if not left or await self._store_ahead(left):
            return
        log.error("nothing_durable", error=self.spool_error, messages=len(left))
        for waiting, error in zip(left, filter(None, errors), strict=True):
            _tell([waiting], NothingDurable(str(error)))

    async def _store_ahead(self, batch: list[_Waiting]) -> bool:
        """Store what the spool cannot take ahead of what is in it: late order beats a 503."""
        if not self._draining:
            return False
        try:
            messages = [waiting.message for waiting in batch]
            await self._storer.store(messages, within_seconds=DEADLINE_SECONDS)
            await self._storer.confirm()
        except Exception as error:  # noqa: BLE001 the drain finds it, too
            log.warning("not_stored_ahead", error=describe_cause(error))
            return False
        self._finish(batch, in_spool=False)
        return True

    async def _append(self, messages: Sequence[InboundMessage]) -> list[Exception | None]:
        """Why each of them is not in the spool, None where it is: the writer goes on."""
        errors: list[Exception | None]
        try:
            records = [message.to_record() for message in messages]
            errors = await self._drainer.on_disk(lambda: self._spool.append(records))
        except Exception as failure:  # noqa: BLE001 whatever the disk does
            errors = [failure] * len(messages)
        self._report_spool()
        self._note_spool_error(next(filter(None, errors), None))
        return errors

    def _finish(self, batch: list[_Waiting], *, in_spool: bool) -> None:
        _tell(batch, None)
        seconds = monotonic() - batch[0].deadline + DEADLINE_SECONDS
        try:
            self._listener.on_kept(len(batch), in_spool=in_spool, seconds=seconds)
        except Exception:
            # They have been told already, and must not hear otherwise.
            log.exception("not_counted", messages=len(batch))

    def _open_breaker(self, error: Exception) -> None:
        self.database_error = describe_cause(error)
        self.direct = False
        self._storer.abandon()
        self._trouble.set()
        log.warning("spooling", reason=self.database_error)

    def _look(self) -> None:
        """Forget what is surely in the database, or open the breaker where it is not ours now."""
        self._looked_at = monotonic()
        try:
            if self._storer.look():
                self._unconfirmed.clear()
        except Exception as error:  # noqa: BLE001 whatever it is, it cannot be trusted
            if self.direct:
                self._open_breaker(error)

    def _look_soon(self) -> None:
        """After the last batch of a stream, too."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look_late)

    def _look_late(self) -> None:
        self._looking = None
        self._look()
        if self._unconfirmed and self.direct:
            self._look_soon()

    async def _spool_unconfirmed(self) -> None:
        """Keep what was acknowledged and may have gone with the database; the order is held."""
        if not self._unconfirmed:
            return
        errors = await self._append(self._unconfirmed)
        left = [each for each, error in zip(self._unconfirmed, errors, strict=True) if error]
        self._unconfirmed = left
        if left:
            log.error("acknowledged_in_memory_only", messages=len(left), error=self.spool_error)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_LOOK_SECONDS):
                    await self._trouble.wait()
            if self._trouble.is_set():
                with contextlib.suppress(Exception):
                    await self.recover()
            else:
                self._look()
            overdue = monotonic() - self._spool_probed_at > SPOOL_PROBE_SECONDS
            if self.spool_error is not None or overdue:
                await self._probe_spool()
            await asyncio.sleep(PROBE_SECONDS)

    async def _probe_spool(self) -> None:
        self._spool_probed_at = monotonic()
        try:
            # Nobody's batch waits for the probe while the spool is not needed.
            async with contextlib.nullcontext() if self.direct else self._order:
                await self._drainer.on_disk(self._spool.probe)
        except Exception as error:  # noqa: BLE001 whatever it is, the spool would not take a message
            self._note_spool_error(error)
        else:
            self._note_spool_error(None)
        self._report_spool()

    def _note_spool_error(self, error: Exception | None) -> None:
        before, self.spool_error = self.spool_error, None if error is None else str(error)
        if self.spool_error is not None and self.spool_error != before:
            log.error("spool_unusable", error=self.spool_error)
        elif before is not None and error is None:
            log.info("spool_usable")

    def _report_spool(self) -> None:
        while self._spool.moves:
            path, lost = self._spool.moves.pop()
            log.error("spool_moved", path=str(path), lost=lost)
            self._listener.on_spool_moved(path, lost)
        self._drainer.report_damage(self._spool)

    async def _drain_own(self) -> None:
        while not self.direct:
            async with self._order:
                # The last of it in one go: new ones wait a moment, or they would go on for ever.
                while await self._drain_own_batch():
                    if self._spool.depth > MAX_BATCH_ROWS:
                        break
                else:
                    self.direct = True
                    self.database_error = None
                    self._trouble.clear()

    async def _drain_own_batch(self) -> bool:
        try:
            return await self._drainer.drain_batch(self._spool, self._storer)
        except SpoolError as error:
            # It stays on disk to be adopted once it can be read; new messages need not wait.
            self._note_spool_error(error)
            await self._drainer.on_disk(self._spool.give_up)
            self._report_spool()
            return False


def _tell(batch: Sequence[_Waiting], error: NothingDurable | None) -> None:
    for waiting in batch:
        try:
            waiting.done(error)
        except Exception:
            # Whatever ails one who waits, the writer goes on and the others hear of theirs.
            log.exception("not_told")
