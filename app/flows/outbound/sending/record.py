"""Records the results of calls: together if possible, else one by one, and loses none."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from app.domain.errors import Unavailable
from app.storage.db.clock import read_clock
from app.storage.db.database import Connection, Database
from app.storage.outbound.sending.attempts import record_results
from app.storage.outbound.sending.result_events import SendResult, publish_results

# How many are recorded at once: on SQLite incoming messages wait for them.
RECORDED_TEXTS = 100
# At the end of the process.
RECORDING_SECONDS = 2.0

log = structlog.get_logger("letterbox.send")


@dataclass
class Results:
    """The results that a sender has not recorded yet. `now` is None for the database's clock."""

    database: Database
    on_change: Callable[[], None]
    now: Callable[[], datetime] | None
    finished: list[SendResult] = field(default_factory=list)
    # Results that fail a whole transaction: each is retried on its own.
    troubled: list[SendResult] = field(default_factory=list)

    def get_next(self) -> Sequence[SendResult]:
        """The first results to record; call `forget` or `set_aside` next."""
        return tuple(self.finished[:RECORDED_TEXTS])

    def forget(self, count: int) -> None:
        """The first results have been recorded."""
        del self.finished[:count]

    def set_aside(self, count: int) -> None:
        """One of the first results failed the transaction: record each on its own."""
        self.troubled += self.finished[:count]
        self.forget(count)

    def record(self, conn: Connection, results: Sequence[SendResult]) -> int:
        """Returns how many statuses changed."""
        now = self.now() if self.now else read_clock(conn)
        return publish_results(conn, record_results(conn, results, now), now)

    async def record_singly(self) -> None:
        """Record each on its own, so that a bad result does not stop the others. Raises
        Unavailable.
        """
        for result in tuple(self.troubled):
            try:
                changed = await self.database.write(self.record, [result])
            except Unavailable:
                raise
            except Exception:
                log.exception("result_not_recorded", **_describe(result))
                continue
            self.troubled.remove(result)
            if changed:
                self.on_change()

    async def record_rest(self) -> None:
        """Record all results, as far as time allows."""
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(RECORDING_SECONDS):
                while results := self.get_next():
                    await self._record_next(results)
                await self.record_singly()

    async def _record_next(self, results: Sequence[SendResult]) -> None:
        try:
            await self.database.write(self.record, results)
        except Unavailable:
            raise
        except Exception:
            log.exception("recording_failed", texts=len(results))
            self.set_aside(len(results))
        else:
            self.forget(len(results))

    def tell_lost(self) -> None:
        """What could not be recorded becomes uncertain when its lease ends; the log has its ids."""
        for result in (*self.troubled, *self.finished):
            log.error("result_lost", **_describe(result))


def _describe(result: SendResult) -> dict[str, Any]:
    return {
        "outbound": result.text.id,
        "attempt": result.text.attempt,
        "outcome": result.call.outcome,
        "ids": result.call.provider_ids + result.call.background_ids,
    }
