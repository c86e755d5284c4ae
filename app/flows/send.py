"""Sends what waits in the outbox: claims, calls the provider, and records what came of it."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from app.domain.errors import (
    CodeError,
    CountMismatch,
    InvalidInput,
    ProviderError,
    Unavailable,
)
from app.domain.fates import ErrorClass, Fate
from app.domain.retries import Step, decide_step
from app.flows.metrics import Metrics
from app.provider.actions import OutgoingText, SourceTon
from app.provider.client import ProviderClient
from app.provider.wire import ID
from app.storage.attempts import SendResult, record_results, tell_results
from app.storage.claims import Claim, ClaimedText, claim_texts
from app.storage.database import Connection, Database
from app.storage.sender import lock_sender

POLL_SECONDS = 1.0
# The client ends a call after 60 s by itself, and then knows whether it left; this is for the rest.
CALL_SECONDS = 70.0
# Longer than any call: who holds a claim for so long has died, or slept with its machine.
LEASE_SECONDS = 100.0
# How long calls under way may take at the end of the process; what is cut off is uncertain.
DRAIN_SECONDS = 5.0
CUT_OFF_SECONDS = 1.0

log = structlog.get_logger("letterbox.send")


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """`per_second` holds over all processes, `concurrency` in each. `zone` is the provider's."""

    per_second: float
    concurrency: int
    zone: ZoneInfo
    lease_seconds: float = LEASE_SECONDS
    call_seconds: float = CALL_SECONDS


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a call came to, before it is decided what follows."""

    fate: Fate
    error_class: ErrorClass | None = None
    code: str | None = None
    text: str | None = None
    provider_ids: tuple[str, ...] = ()
    background_ids: tuple[str, ...] = ()


def read_boot_seconds() -> float:
    """A clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass
class Sender:
    """One a process. `now` is None for the database's clock; `draw` is random in [0, 1)."""

    database: Database
    client: ProviderClient
    policy: SendPolicy
    metrics: Metrics
    on_change: Callable[[], None]
    draw: Callable[[], float]
    now: Callable[[], datetime] | None = None
    seconds: Callable[[], float] = read_boot_seconds
    calls: set[asyncio.Task[SendResult]] = field(default_factory=set)
    finished: list[SendResult] = field(default_factory=list)
    # Those that spoil a turn's transaction: they are recorded one by one, again and again.
    troubled: list[SendResult] = field(default_factory=list)
    _turn: asyncio.Task[Claim] | None = None

    @property
    def free(self) -> int:
        """How many more calls may be made at once."""
        return self.policy.concurrency - len(self.calls)

    async def turn(self) -> Claim:
        """Record what came back, claim what is due and begin its calls. Raises Unavailable.

        Whoever is cancelled in it leaves it to go on: what it claims is to be called for.
        """
        self._turn = asyncio.create_task(self._take_turn())
        return await asyncio.shield(self._turn)

    async def _take_turn(self) -> Claim:
        began = self.seconds()
        await self._record_singly()
        results, limit = tuple(self.finished), self.free
        try:
            claim, changed = await self.database.write(self._record_and_claim, results, limit)
        except Unavailable:
            raise
        except Exception:
            log.exception("recording_failed", texts=len(results))
            del self.finished[: len(results)]
            self.troubled += results
            return Claim([], POLL_SECONDS)
        del self.finished[: len(results)]
        for text in claim.texts:
            self._begin(text, began)
        if changed:
            self.on_change()
        return claim

    async def run_dry(self) -> int:
        """Send until nothing more is due; returns how many calls were made. Raises Unavailable."""
        made = 0
        while True:
            claim = await self.turn()
            made += len(claim.texts)
            if self.calls:
                await asyncio.wait(self.calls, return_when=asyncio.FIRST_COMPLETED)
            elif not self.finished and not claim.texts:
                return made

    async def drain(self) -> None:
        """Let the calls under way finish for a moment, and record what came of them."""
        if self._turn is not None:
            await asyncio.wait({self._turn})
        if self.calls:
            await asyncio.wait(set(self.calls), timeout=DRAIN_SECONDS)
        for call in self.calls:
            call.cancel()
        if self.calls:
            await asyncio.wait(set(self.calls), timeout=CUT_OFF_SECONDS)
        self.troubled += self.finished
        self.finished.clear()
        with contextlib.suppress(Unavailable):
            await self._record_singly()
        for result in self.troubled:
            # It becomes uncertain when its lease ends, and then the report has its id.
            log.error("result_lost", **_describe(result))

    def _record_and_claim(
        self, conn: Connection, results: tuple[SendResult, ...], limit: int
    ) -> tuple[Claim, int]:
        """One transaction for both, for the commit is the dearest part of sending.

        Locks are taken in the order sender, texts, events, by whoever takes them.
        """
        if limit > 0:
            lock_sender(conn)
        now = self._read_now()
        records = record_results(conn, results, now)
        claim = Claim([], None)
        if limit > 0:
            claim = claim_texts(
                conn,
                limit=limit,
                per_second=self.policy.per_second,
                lease_seconds=self.policy.lease_seconds,
                now=now,
            )
        return claim, tell_results(conn, records, now, others=claim.ended)

    def _record(self, conn: Connection, result: SendResult) -> int:
        now = self._read_now()
        return tell_results(conn, record_results(conn, [result], now), now)

    async def _record_singly(self) -> None:
        """One result that cannot be recorded keeps no other from it, and is never given up."""
        for result in tuple(self.troubled):
            try:
                changed = await self.database.write(self._record, result)
            except Unavailable:
                raise
            except Exception:
                log.exception("result_not_recorded", **_describe(result))
                continue
            self.troubled.remove(result)
            if changed:
                self.on_change()

    def _read_now(self) -> datetime | None:
        return None if self.now is None else self.now()

    def _begin(self, text: ClaimedText, claimed_at_seconds: float) -> None:
        call = asyncio.create_task(self._send(text, claimed_at_seconds))
        self.calls.add(call)
        call.add_done_callback(self._end)

    def _end(self, call: asyncio.Task[SendResult]) -> None:
        self.calls.discard(call)
        if not call.cancelled():
            self.finished.append(call.result())

    async def _send(self, text: ClaimedText, claimed_at_seconds: float) -> SendResult:
        left = self.policy.lease_seconds - (self.seconds() - claimed_at_seconds)
        if left < self.policy.call_seconds:
            answer = _Answer(Fate.NOT_TAKEN, text="the lease was too short for a call")
        else:
            answer = await self._call(text)
        passed = timedelta(seconds=self.seconds() - claimed_at_seconds)
        step = self._decide(text, answer, text.claimed_at + passed)
        self.metrics.sends.labels(step.event.name.lower().replace("_", "-")).inc()
        return SendResult(
            text,
            answer.fate,
            step,
            error_class=answer.error_class,
            code=answer.code,
            answer=answer.text,
            provider_ids=answer.provider_ids,
            background_ids=answer.background_ids,
        )

    async def _call(self, text: ClaimedText) -> _Answer:
        """One call, with no transaction open; whatever goes wrong has a fate."""
        self.metrics.calls.labels("send").inc()
        try:
            async with asyncio.timeout(self.policy.call_seconds):
                return await self._ask(text)
        except asyncio.CancelledError:  # by `drain` alone
            return _Answer(Fate.UNKNOWN, ErrorClass.AMBIGUOUS, text="the process ended meanwhile")
        except InvalidInput as error:
            return _Answer(Fate.REFUSED, ErrorClass.PERMANENT, text=str(error))
        except ProviderError as error:
            return _read_error(error)
        except TimeoutError:
            return _Answer(Fate.UNKNOWN, ErrorClass.AMBIGUOUS, text="the call took too long")
        except Exception as error:
            log.exception("call_failed", outbound=text.id)
            reason = f"the call failed in an unforeseen way ({type(error).__name__})"
            return _Answer(Fate.UNKNOWN, ErrorClass.AMBIGUOUS, text=reason)

    async def _ask(self, text: ClaimedText) -> _Answer:
        ton = None if text.source_ton is None else SourceTon(text.source_ton)
        outgoing = OutgoingText(
            text.source, text.body, text.validity_seconds, text.schedule_at, ton
        )
        if text.to is not None:
            ids = await self.client.send(outgoing, text.to, all_ids=True)
            return _Answer(Fate.TAKEN, provider_ids=ids)
        send = self.client.send_to_group if text.list_name is None else self.client.send_to_list
        sent = await send(outgoing, text.list_name or text.group_name or "", background_ids=True)
        error = sent.errors[0] if sent.errors else None
        return _Answer(
            Fate.TAKEN,
            code=None if error is None else str(error.code),
            text=None if error is None else str(error),
            background_ids=sent.ids,
        )

    def _decide(self, text: ClaimedText, answer: _Answer, now: datetime) -> Step:
        return decide_step(
            answer.fate,
            answer.error_class,
            attempt=text.attempt,
            now=now,
            valid_until=text.valid_until,
            zone=self.policy.zone,
            draw=self.draw(),
        )


def _describe(result: SendResult) -> dict[str, Any]:
    return {
        "outbound": result.text.id,
        "attempt": result.text.attempt,
        "fate": result.fate,
        "ids": result.provider_ids + result.background_ids,
    }


def _read_error(error: ProviderError) -> _Answer:
    """An error that names an id was taken, whatever else it says: no id is discarded."""
    answers = error.answers if isinstance(error, CountMismatch) else ()
    ids = tuple(each for each in answers if ID.fullmatch(each))
    return _Answer(
        Fate.TAKEN if ids else error.fate,
        error.error_class,
        code=str(error.code) if isinstance(error, CodeError) else None,
        text=str(error),
        provider_ids=ids,
    )
