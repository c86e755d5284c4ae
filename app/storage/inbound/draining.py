"""Stores the messages in spools, in order, and removes them once the database has them."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from app.domain.inbound.messages import InboundMessage
from app.storage.durable import SpoolError
from app.storage.inbound.batch_store import BatchStore
from app.storage.spool.adoption import adopt
from app.storage.spool.identity import Identity
from app.storage.spool.quarantine import refuse
from app.storage.spool.spool import Spool, SpoolBatch

T = TypeVar("T")

MAX_BATCH_ROWS = 512
MAX_BATCH_BYTES = 4 * 1024 * 1024
PATIENCE_SECONDS = 1.0

log = structlog.get_logger("letterbox.intake")


class DrainListener(Protocol):
    """Receives what was found in spools; called on the event loop, must not block."""

    def on_adopted(self, process_id: str) -> None: ...

    def on_refused(self, path: Path) -> None: ...

    def on_damaged(self, path: Path) -> None: ...

    def on_foreign(self, path: Path, place: str) -> None: ...


class Drainable(Protocol):
    """A spool, this process's or another's."""

    @property
    def damaged(self) -> list[Path]: ...

    def read(self, *, max_records: int, max_bytes: int) -> SpoolBatch | None: ...

    def release(self, batch: SpoolBatch) -> None: ...


class Drainer:
    """Drains spools in the thread that owns them; `order` is held while a batch is stored."""

    def __init__(
        self, root: Path, order: asyncio.Lock, listener: DrainListener, disk: ThreadPoolExecutor
    ) -> None:
        self._root = root
        self._order = order
        self._listener = listener
        self._disk = disk

    async def on_disk(self, work: Callable[[], T]) -> T:
        """Run blocking file work in the one thread that uses spools."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    async def set_aside(self, record: bytes, reason: str) -> None:
        """Set aside a record that the database can never store. Raises SpoolError."""
        path = await self.on_disk(lambda: refuse(self._root, record, reason))
        self._listener.on_refused(path)

    async def drain_abandoned(self, storer: BatchStore, identity: Identity | None) -> None:
        """Store the messages of processes that are gone, and remove their spools.

        Spools of another database than `identity` are left alone. Raises SpoolError if the spools
        cannot be listed, and the database's errors.
        """

        def is_ours(mark: bytes) -> bool:
            return identity is None or _read_identity(mark).is_same(identity)

        adoption = await self.on_disk(lambda: adopt(self._root, is_ours=is_ours))
        for path in adoption.damaged:
            self._listener.on_damaged(path)
        for path, mark in adoption.foreign:
            self._listener.on_foreign(path, _read_identity(mark).place)
        for failure in adoption.failures:
            log.error("spool_unreadable", error=str(failure))
        left = deque(adoption.spools)
        try:
            while left:
                try:
                    await self._drain_adopted(left.popleft(), storer)
                except SpoolError as error:
                    log.error("spool_unreadable", error=str(error))
        finally:
            for spool in left:
                await self.on_disk(spool.close)

    async def _drain_adopted(self, spool: Spool, storer: BatchStore) -> None:
        try:
            log.info("spool_adopted", spool=spool.id, messages=spool.depth)
            going_on = True
            while going_on:
                async with self._order:
                    going_on = await self.drain_batch(spool, storer)
            self._listener.on_adopted(spool.process_id)
        finally:
            await self.on_disk(spool.close)
            self.report_damage(spool)

    async def drain_batch(self, spool: Drainable, storer: BatchStore) -> bool:
        """Store the oldest batch; returns whether there was one. `order` must be held."""
        batch = await self.on_disk(
            lambda: spool.read(max_records=MAX_BATCH_ROWS, max_bytes=MAX_BATCH_BYTES)
        )
        if batch is None:
            return False
        messages = []
        for record in batch.records:
            try:
                messages.append(InboundMessage.from_record(record))
            except (ValueError, KeyError, TypeError) as error:
                await self.set_aside(record, f"unreadable: {error}")
        if messages:
            await storer.store(messages, within_seconds=PATIENCE_SECONDS)
            await storer.confirm()
        await self.on_disk(lambda: spool.release(batch))
        self.report_damage(spool)
        return True

    def report_damage(self, spool: Drainable) -> None:
        while spool.damaged:
            self._listener.on_damaged(spool.damaged.pop())


def _read_identity(mark: bytes) -> Identity:
    try:
        return Identity.from_bytes(mark)
    except (ValueError, KeyError, TypeError):
        return Identity("an unknown place")
