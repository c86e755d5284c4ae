"""Makes each accepted message durable: group commit while the database is well, else the spool."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol, TypeVar

import structlog

from app.domain.errors import NothingDurable
from app.domain.messages import InboundMessage
from app.storage.inbound import Inserter
from app.storage.spool import Spool, SpoolError, adopt, refuse
from app.storage.storing import Storer

T = TypeVar("T")

MAX_BATCH_ROWS = 512
MAX_BATCH_BYTES = 4 * 1024 * 1024
# After this long a message goes to the spool, whatever the database may still do with it.
DEADLINE_SECONDS = 1.0
# Batches that follow each other within so long are a stream, to which others should give way: the
# first where they have so many rows that more comes than is stored at once, the second for fewer.
STREAM_SECONDS = 0.05
STREAM_ROWS = 8
QUICK_SECONDS = 0.002
PROBE_SECONDS = 0.5
PROBE_PATIENCE_SECONDS = 5.0

log = structlog.get_logger("letterbox.intake")


class IntakeListener(Protocol):
    """Who is told what happened to messages; called on the event loop, must not block."""

    def on_stored(self, rows: int) -> None: ...

    def on_kept(self, rows: int, *, in_spool: bool, seconds: float) -> None: ...

    def on_adopted(self, spool_id: str) -> None: ...

    def on_refused(self, path: Path) -> None: ...

    def on_damaged(self, path: Path) -> None: ...


# Called once for a message: with None when it is on disk, with the error where no place takes it.
Done = Callable[[NothingDurable | None], None]


class _Waiting(NamedTuple):
    message: InboundMessage
    done: Done
    deadline: float


class Intake:
    """One task takes what has queued, commits it as one batch and wakes all who wait for it.

    There is no timer: while a batch is being committed the next one gathers. Where the database
    fails or is late, batch and queue go to the spool (`direct` turns false) until a probe's
    rolled-back insert succeeds and the spool has been drained, in order.
    """

    def __init__(
        self,
        inserter: Inserter,
        spool_root: Path,
        *,
        now: Callable[[], datetime],
        make_id: Callable[[], str],
        listener: IntakeListener,
    ) -> None:
        self.direct = False
        self.spool_error: str | None = None
        self.database_error: str | None = "not connected yet"
        self._storer = Storer(
            inserter, now=now, on_stored=listener.on_stored, set_aside=self._refuse
        )
        self._spool_root = spool_root
        self._make_id = make_id
        self._listener = listener
        self._spool: Spool | None = None
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        # Set from a failure of the database on until it is trusted again.
        self._trouble = asyncio.Event()
        # Held while a batch is on its way to disk: the writer's, or the drain's.
        self._order = asyncio.Lock()
        self._recovering = asyncio.Lock()
        self._batch_at = -STREAM_SECONDS
        self._pause = STREAM_SECONDS
        self._batch_rows = 0
        self._closing = False
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def spool_id(self) -> str | None:
        return self._spool.id if self._spool else None

    @property
    def depth(self) -> int:
        """Messages that lie in this process's spool."""
        return self._spool.depth if self._spool else 0

    @property
    def can_acknowledge(self) -> bool:
        return self.direct or self.spool_error is None

    @property
    def is_busy(self) -> bool:
        """Whether messages stream in, rather than a few now and then."""
        since = monotonic() - self._batch_at
        longest = STREAM_SECONDS if self._batch_rows >= STREAM_ROWS else QUICK_SECONDS
        return self._pause < longest and since < STREAM_SECONDS

    async def start(self) -> None:
        """Begin to take messages; they go to the spool until `recover` has succeeded once."""
        await self._open_spool()
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._watch())]

    def put(self, message: InboundMessage, done: Done) -> None:
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
        self._storer.abandon()
        if self._spool:
            await self._on_disk(self._spool.close)
        self._disk.shutdown()

    async def recover(self) -> None:
        """Probe the database, drain every spool within reach, then store directly again.

        Raises what the database raised; the messages stay in the spool.
        """
        async with self._recovering:
            if self.direct:
                return
            try:
                # Whoever waits for the spool's next append must not wait for the probe.
                await self._storer.probe(within_seconds=PROBE_PATIENCE_SECONDS)
                await self.drain_abandoned()
                await self._drain_own()
            except Exception as error:
                self.database_error = _describe(error)
                self._storer.abandon()
                raise

    async def drain_abandoned(self) -> None:
        """Store what processes that are gone left behind, and remove their folders."""
        try:
            adoption = await self._on_disk(lambda: adopt(self._spool_root))
        except SpoolError as error:
            self.spool_error = str(error)
            log.error("spool_unreadable", error=str(error))
            return
        for failure in adoption.failures:
            log.error("spool_unreadable", error=str(failure))
        for spool in adoption.spools:
            try:
                log.info("spool_adopted", spool=spool.id, messages=spool.depth)
                while await self._drain_batch(spool):
                    pass
                self._listener.on_adopted(spool.id)
            finally:
                await self._on_disk(spool.close)
                self._report_damage(spool)

    async def _write(self) -> None:
        while not (self._closing and not self._queue):
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            async with self._order:
                await self._keep_batch(self._take_batch())

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
        if self.direct:
            messages = [waiting.message for waiting in batch]
            try:
                await self._storer.store(messages, within_seconds=batch[0].deadline - now)
            except Exception as error:  # noqa: BLE001 whatever it was, the spool takes the batch
                self._open_breaker(error)
            else:
                self._finish(batch, in_spool=False)
                return
        await self._spool_batch(batch)

    async def _spool_batch(self, batch: list[_Waiting]) -> None:
        try:
            records = [waiting.message.to_record() for waiting in batch]
            await self._on_disk(lambda: self._append(records))
        except Exception as error:  # noqa: BLE001 the writer must go on whatever the disk does
            self.spool_error = str(error)
            log.error("nothing_durable", error=str(error), messages=len(batch))
            _tell(batch, NothingDurable(str(error)))
        else:
            self.spool_error = None
            self._finish(batch, in_spool=True)

    def _finish(self, batch: list[_Waiting], *, in_spool: bool) -> None:
        _tell(batch, None)
        seconds = monotonic() - batch[0].deadline + DEADLINE_SECONDS
        self._listener.on_kept(len(batch), in_spool=in_spool, seconds=seconds)

    async def _refuse(self, record: bytes, reason: str) -> None:
        path = await self._on_disk(lambda: refuse(self._spool_root, record, reason))
        self._listener.on_refused(path)

    def _open_breaker(self, error: Exception) -> None:
        self.database_error = _describe(error)
        self.direct = False
        self._storer.abandon()
        self._trouble.set()
        log.warning("spooling", reason=self.database_error)

    async def _watch(self) -> None:
        while True:
            await self._trouble.wait()
            with contextlib.suppress(Exception):
                await self.recover()
            await asyncio.sleep(PROBE_SECONDS)

    async def _drain_own(self) -> None:
        while not self.direct:
            async with self._order:
                # The last of it in one go: new ones wait a moment, or they would go on for ever.
                while self._spool is not None and await self._drain_own_batch(self._spool):
                    if self._spool.depth > MAX_BATCH_ROWS:
                        break
                else:
                    self.direct = True
                    self.database_error = None
                    self._trouble.clear()

    async def _drain_own_batch(self, spool: Spool) -> bool:
        try:
            return await self._drain_batch_locked(spool)
        except SpoolError as error:
            # It stays on disk to be adopted once it can be read; new messages need not wait.
            self.spool_error = str(error)
            log.error("spool_unreadable", error=str(error))
            self._spool = None
            await self._on_disk(spool.close)
            return False

    async def _drain_batch(self, spool: Spool) -> bool:
        async with self._order:
            return await self._drain_batch_locked(spool)

    async def _drain_batch_locked(self, spool: Spool) -> bool:
        batch = await self._on_disk(
            lambda: spool.read(max_records=MAX_BATCH_ROWS, max_bytes=MAX_BATCH_BYTES)
        )
        if batch is None:
            return False
        messages = []
        for record in batch.records:
            try:
                messages.append(InboundMessage.from_record(record))
            except (ValueError, KeyError, TypeError) as error:
                await self._refuse(record, f"unreadable: {error}")
        if messages:
            await self._storer.store(messages, within_seconds=DEADLINE_SECONDS)
        await self._on_disk(lambda: spool.release(batch))
        self._report_damage(spool)
        return True

    def _report_damage(self, spool: Spool) -> None:
        while spool.damaged:
            self._listener.on_damaged(spool.damaged.pop())

    async def _open_spool(self) -> None:
        """The folder is made at once, so that whoever comes after a crash finds it."""
        try:
            self._spool = await self._on_disk(
                lambda: Spool.create(self._spool_root, make_id=self._make_id)
            )
        except SpoolError as error:
            self.spool_error = str(error)

    def _append(self, records: list[bytes]) -> None:
        if self._spool is None:
            self._spool = Spool.create(self._spool_root, make_id=self._make_id)
        self._spool.append(records)

    async def _on_disk(self, work: Callable[[], T]) -> T:
        """Run blocking file work in the one thread that touches the spool."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


def _tell(batch: Sequence[_Waiting], error: NothingDurable | None) -> None:
    for waiting in batch:
        try:
            waiting.done(error)
        except Exception:
            # Whatever ails one who waits, the writer goes on and the others hear of theirs.
            log.exception("not_told")


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
