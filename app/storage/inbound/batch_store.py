"""Stores a batch even if some rows are bad: retried, halved, stored plainly, or set aside."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.domain.inbound.messages import InboundMessage
from app.storage.inbound.inbound import Inserter, PassingError, RowsRefusedError

MIN_PATIENCE_SECONDS = 0.05
LOOK_AGAIN_SECONDS = 0.005

# Given the record of a message that the database can never store, and why.
SetAside = Callable[[bytes, str], Awaitable[None]]


class BatchStore:
    """An error means that the database is away, and that some of the batch may have been stored."""

    def __init__(
        self,
        inserter: Inserter,
        *,
        now: Callable[[], datetime],
        on_stored: Callable[[int], None],
        set_aside: SetAside,
    ) -> None:
        self._inserter = inserter
        self._now = now
        self._on_stored = on_stored
        self._set_aside = set_aside

    async def store(self, batch: Sequence[InboundMessage], *, within_seconds: float) -> None:
        """Commit a batch; if the data of one row makes it fail, it is halved down to that row."""
        await self._within(within_seconds, self._store(batch))

    async def probe(self, *, within_seconds: float) -> None:
        """Raises where storing would fail."""
        await self._within(within_seconds, self._inserter.probe(self._now()))

    def look(self) -> bool:
        """Whether the stored messages are in the file at the path; False: ask again in a moment.

        Raises if they are not.
        """
        return self._inserter.look()

    async def confirm(self) -> None:
        """`look` until there is an answer."""
        while not self.look():  # noqa: ASYNC110 it is a matter of milliseconds
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    def abandon(self) -> None:
        """Let go of a connection that does not answer, without waiting for it."""
        self._inserter.abandon()

    async def _within(self, seconds: float, work: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(max(seconds, MIN_PATIENCE_SECONDS)):
                await work
        except TimeoutError:
            self.abandon()
            raise TimeoutError("the database did not answer in time") from None

    async def _store(self, batch: Sequence[InboundMessage]) -> None:
        try:
            stored = await self._insert(batch)
        except RowsRefusedError as error:
            if len(batch) == 1:
                await self._store_plainly(batch[0], error)
                return
            middle = len(batch) // 2
            await self._store(batch[:middle])
            await self._store(batch[middle:])
        else:
            self._on_stored(stored)

    async def _insert(self, batch: Sequence[InboundMessage]) -> int:
        try:
            return await self._inserter.insert(batch, self._now())
        except PassingError:
            return await self._inserter.insert(batch, self._now())

    async def _store_plainly(self, message: InboundMessage, reason: Exception) -> None:
        """Raw bytes and time alone: whatever the database objected to, replay can parse again."""
        plain = replace(
            message,
            provider_id=None,
            source="",
            dest="",
            body="",
            received_raw=None,
            merge_fields={},
            extra={},
            problems=("control",),
        )
        try:
            self._on_stored(await self._insert([plain]))
        except RowsRefusedError:
            await self._set_aside(message.to_record(), str(reason))
