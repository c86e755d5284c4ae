"""Sends the texts of the outbox: claims them, calls the provider and records the results."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from app.domain.errors import Unavailable
from app.domain.outbound.retries import decide_step
from app.domain.outbound.send_outcomes import CallResult, StopCause
from app.flows.operations.processes.keep_time import read_boot_seconds
from app.flows.operations.processes.metrics import Metrics
from app.flows.outbound.sending.call import call_provider, keep_back, look_first
from app.flows.outbound.sending.record import Results
from app.provider.client import ProviderClient
from app.storage.db.database import Connection, Database
from app.storage.outbound.sending.attempts import record_results
from app.storage.outbound.sending.claims import Claim, ClaimedText, claim_texts
from app.storage.outbound.sending.result_events import SendResult, publish_results
from app.storage.outbound.sending.sender import get_sender, lock_sender

POLL_SECONDS = 1.0
# The client itself ends a call after 60 s and knows whether it left; this is only a safeguard.
CALL_SECONDS = 70.0
# Longer than any call: a process that holds a claim for this long has died or been suspended.
LEASE_SECONDS = 100.0
# How long calls may still take when the process ends; what is cut off becomes uncertain.
DRAIN_SECONDS = 5.0
CUT_OFF_SECONDS = 1.0
# While calls are as quick as this, twice as many texts are claimed, so that calls need not wait for
# a commit.
QUICK_SECONDS = 1.0
# A pause or an opt-out after the claim is not seen, so what has waited this long is claimed again.
AHEAD_SECONDS = 5.0

# A provider that miscounts its answers would make all numbers of the next call uncertain, too.
MISCOUNTED_SECONDS = 3600.0

ENDED = "the process stopped before the call"

# The texts of one call.
Call = Sequence[ClaimedText]

log = structlog.get_logger("letterbox.send")


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """`per_second` applies across all processes, `concurrency` in each; a call has up to `batch`
    numbers. `zone` is the provider's.
    """

    per_second: float
    concurrency: int
    batch: int
    zone: ZoneInfo
    lease_seconds: float = LEASE_SECONDS
    call_seconds: float = CALL_SECONDS


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
    calls: set[asyncio.Task[list[SendResult]]] = field(default_factory=set)
    # Claimed, with when that was, and waiting for a call to end.
    ready: deque[tuple[Call, float]] = field(default_factory=deque)
    _last_seconds: float | None = None
    # Whether the provider answered the last call properly. Until it has, calls are made one by one,
    # so that a nonsense answer makes only one text uncertain. Older calls in flight do not count:
    # they may hang.
    _is_answered: bool = False
    # Until then a call has one number.
    _batch_from: float = 0.0
    _lone_call: asyncio.Task[list[SendResult]] | None = None
    _turn: asyncio.Task[Claim] | None = None
    _is_ending: bool = False

    def __post_init__(self) -> None:
        self.results = Results(self.database, self.on_change, self.now)

    @property
    def wanted(self) -> int:
        """How many more calls it can make now."""
        if self._is_ending:
            return 0
        is_quick = self._last_seconds is not None and self._last_seconds < QUICK_SECONDS
        ahead = self.policy.concurrency if is_quick else 0
        return max(0, self.policy.concurrency + ahead - len(self.calls) - len(self.ready))

    @property
    def _may_begin(self) -> bool:
        is_tried = not self._is_answered and self._lone_call in self.calls
        return len(self.calls) < self.policy.concurrency and not is_tried and not self._is_ending

    async def turn(self) -> Claim:
        """Record results, claim what is due and begin its calls. May raise anything.

        If the caller is cancelled, the work goes on, and the next call joins it: calls must be made
        for whatever it claims.
        """
        if self._turn is None or self._turn.done():
            self._turn = asyncio.create_task(self._take_turn())
        return await asyncio.shield(self._turn)

    async def _take_turn(self) -> Claim:
        began = self.seconds()
        await self.results.record_singly()
        results, limit = self.results.get_next(), self.wanted
        try:
            claim, changed = await self.database.write(self._record_and_claim, results, limit)
        except Unavailable:
            raise
        except Exception:
            if not results:
                raise  # the claim itself fails, not a result
            log.exception("recording_failed", texts=len(results))
            self.results.set_aside(len(results))
            return Claim([], POLL_SECONDS)
        self.results.forget(len(results))
        self.ready += ((call, began) for call in claim.calls)
        if claim.is_paused:
            self._give_back("sending was paused")
        self._begin_calls()
        if changed:
            self.on_change()
        return claim

    async def drain(self) -> None:
        """Begin no more calls, give those in flight a moment to finish, and record all results.

        Texts not sent yet are given back first, so that other processes can send them at once.
        """
        self._is_ending = True
        ends_at = asyncio.get_running_loop().time() + DRAIN_SECONDS
        self._give_back(ENDED)
        if self._turn is not None:
            await asyncio.wait({self._turn}, timeout=DRAIN_SECONDS)
            self._give_back(ENDED)  # claimed in the meantime
        if self._turn is None or self._turn.done():
            await self.results.record_rest()
        if self.calls:
            left = ends_at - asyncio.get_running_loop().time()
            await asyncio.wait(set(self.calls), timeout=max(0, left))
        for call in self.calls:
            call.cancel()
        if self.calls:
            await asyncio.wait(set(self.calls), timeout=CUT_OFF_SECONDS)
        await self.results.record_rest()
        self.results.tell_lost()

    def _record_and_claim(
        self, conn: Connection, results: Sequence[SendResult], limit: int
    ) -> tuple[Claim, int]:
        """One transaction for both, because the commit is the most expensive part of sending.

        Locks are always taken in the order sender, texts, events.
        """
        if limit <= 0:
            return Claim([], None), self.results.record(conn, results)
        state, now = lock_sender(conn)
        now = self.now() if self.now else now
        recorded = record_results(conn, results, now)
        if any(result.concerns_account for result in results):
            state = get_sender(conn)
        claim = claim_texts(
            conn,
            state,
            now,
            limit=limit,
            per_second=self.policy.per_second,
            batch=self.policy.batch if self.seconds() >= self._batch_from else 1,
            lease_seconds=self.policy.lease_seconds,
        )
        return claim, publish_results(conn, recorded, now, others=claim.ended)

    def _begin_calls(self) -> None:
        while self.ready and self._may_begin:
            call = asyncio.create_task(self._send(*self.ready.popleft()))
            self.calls.add(call)
            self._lone_call = None if self._is_answered else call
            call.add_done_callback(self._end)

    def _end(self, call: asyncio.Task[list[SendResult]]) -> None:
        self.calls.discard(call)
        if not call.cancelled():
            results = call.result()
            self.results.finished += results
            stops = any(result.step.stop is not None for result in results)
            if any(result.call.was_called for result in results):
                self._is_answered = not stops and any(each.call.is_proper for each in results)
            if stops:
                self._give_back("sending has stopped")
        self._begin_calls()

    def _give_back(self, reason: str) -> None:
        """Give up texts that were claimed and certainly not sent."""
        while self.ready:
            texts, claimed_at_seconds = self.ready.popleft()
            kept_back = [keep_back(reason)] * len(texts)
            self.results.finished += self._conclude(texts, kept_back, claimed_at_seconds)

    async def _send(self, texts: Call, claimed_at_seconds: float) -> list[SendResult]:
        refusal = None
        if self.seconds() - claimed_at_seconds > AHEAD_SECONDS:
            refusal = keep_back("it had waited too long for its call")
        elif len(texts) > 1 and not self._is_answered:
            self.metrics.calls.labels("credits").inc()
            refusal = await look_first(self.client)
        passed = self.seconds() - claimed_at_seconds
        if refusal is None and self.policy.lease_seconds - passed < self.policy.call_seconds:
            refusal = keep_back("the lease was too short for a call")
        if refusal is not None:
            return self._conclude(texts, [refusal] * len(texts), claimed_at_seconds)
        moment = timedelta(seconds=passed)
        late = {each.id for each in texts if each.claimed_at + moment >= each.valid_until}
        rest = [each for each in texts if each.id not in late]
        called: list[CallResult] = []
        if rest:
            self.metrics.calls.labels("send").inc()
            began = self.seconds()
            called = await call_provider(self.client, rest, self.policy.call_seconds)
            self._last_seconds = self.seconds() - began
        if any(each.is_miscounted for each in called):
            self._batch_from = self.seconds() + MISCOUNTED_SECONDS
        too_late = keep_back("it expired before the call")
        left = iter(called)
        calls = [too_late if each.id in late else next(left) for each in texts]
        return self._conclude(texts, calls, claimed_at_seconds)

    def _conclude(
        self, texts: Call, calls: Sequence[CallResult], claimed_at_seconds: float
    ) -> list[SendResult]:
        """Decide what follows for the texts of a call; all that are tried again share a time."""
        passed = timedelta(seconds=self.seconds() - claimed_at_seconds)
        attempt = max(text.attempt for text in texts)
        draw = self.draw()
        results = []
        for text, call in zip(texts, calls, strict=True):
            step = decide_step(
                call.outcome,
                call.error_class,
                attempt=attempt,
                now=text.claimed_at + passed,
                valid_until=text.valid_until,
                zone=self.policy.zone,
                draw=draw,
                rest_seconds=call.rest_seconds,
            )
            if step.stop is StopCause.UNCLEAR and any(each.is_proper for each in calls):
                # The provider works: it answered properly for others.
                step = replace(step, stop=None)
            self.metrics.sends.labels(step.event.name.lower().replace("_", "-")).inc()
            results.append(SendResult(text, call, step))
        return results
