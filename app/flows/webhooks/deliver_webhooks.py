"""Delivers events to webhooks: reads them at each endpoint's place, calls it, records the answer.

Nothing is written before the first attempt: an endpoint's place in the events moves on once its
deliveries are recorded, so what a process had in hand when it died is delivered again.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from app.domain.webhooks.retries import EndpointAnswer, Verdict
from app.domain.webhooks.signing import derive_secret, sign
from app.flows.operations.changes import Render
from app.flows.operations.processes.metrics import Metrics
from app.flows.webhooks.lanes import PROBE, Attempt, Lane, Result
from app.flows.webhooks.leases import Leases
from app.flows.webhooks.read_feed import Feed
from app.flows.webhooks.record import record_lanes
from app.network.caller import TOTAL_SECONDS, EndpointCaller
from app.storage.db.database import Database
from app.storage.db.wakeups import Wakeups
from app.storage.webhooks.deliveries import list_due
from app.storage.webhooks.endpoints import Webhook

POLL_SECONDS = 1.0
AT_ONCE = 16
# The last places are for endpoints with no call, so that those that hang cannot take them all.
KEPT_FREE = 2
AT_ONCE_FAILING = 8
# While many messages arrive, so many calls are begun in each turn, and a turn begins so often.
BUSY_CALLS = 1
BUSY_SECONDS = 0.2
BUSY_LASTS_SECONDS = 1.0
# What ends within this time is recorded together.
RECORD_SECONDS = 0.05
# On SQLite each transaction delays a batch of messages.
RECORD_SECONDS_BUSY = 2.0
# How often the place of an endpoint that nothing concerns is stored.
PLACE_SECONDS = 10.0
DUE_ROWS = 50
FEW_DUE = 10
# How long calls may still take when the process ends; what is cut off is delivered again.
DRAIN_SECONDS = 5.0
HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Letterbox",
    # A few compressed bytes may expand to a great many.
    "Accept-Encoding": "identity",
}

log = structlog.get_logger("letterbox.webhooks")


@dataclass
class Courier:
    """One a process. `master` is the secret that endpoints' secrets are derived from.

    `is_busy` says whether messages stream in, which calls must not delay. `draw` is random in
    [0, 1).
    """

    database: Database
    wakeups: Wakeups
    caller: EndpointCaller
    render: Render
    master: str
    metrics: Metrics
    now: Callable[[], datetime]
    draw: Callable[[], float]
    on_change: Callable[[], None] = lambda: None
    is_busy: Callable[[], bool] = lambda: False
    seconds: Callable[[], float] = time.monotonic
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    _is_ending: bool = False
    _recorded_at: float = -math.inf
    _placed_at: float = -math.inf
    _due_at: float = -math.inf
    _busy_until: float = -math.inf
    _turn: int = 0

    def __post_init__(self) -> None:
        self.leases = Leases(self.database, self.master, self.now, self.seconds)
        self.feed = Feed(self.database, self.render, self.now)
        self.news = self.wakeups.subscribe("events", "webhooks")
        self._changed = self.wakeups.subscribe("webhooks")
        self._moved = self.wakeups.subscribe("events")

    @property
    def lanes(self) -> dict[int, Lane]:
        return self.leases.lanes

    def _gives_way(self) -> bool:
        """Whether messages stream in, or did a moment ago: a stream has gaps."""
        if self.is_busy():
            self._busy_until = self.seconds() + BUSY_LASTS_SECONDS
        return self.seconds() < self._busy_until

    async def turn(self) -> None:
        """Do what is due, and begin calls. May raise anything."""
        self.news.clear()
        is_changed = self._changed.is_set()
        self._changed.clear()
        if await self.leases.refresh(at_once=is_changed):
            self.on_change()
        await self._record()
        if self.lanes:
            await self._read_due(at_once=is_changed)
            await self._read_events()
            self._begin()

    async def rest(self) -> None:
        """Until there is something to do."""
        if self._gives_way() and self.lanes:
            await asyncio.sleep(BUSY_SECONDS)
        elif not any(lane.wants_events and not lane.is_at_end for lane in self._list_lanes()):
            # The events are looked at even if nothing tells of them.
            has_results = any(lane.results for lane in self.lanes.values())
            try:
                async with asyncio.timeout(RECORD_SECONDS if has_results else POLL_SECONDS):
                    await self.news.wait()
            except TimeoutError:
                self._moved.set()

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Begin no more calls, give those under way a moment, record, and return the leases."""
        self._is_ending = True
        if self.calls:
            await asyncio.wait(set(self.calls), timeout=seconds)
        for call in self.calls:
            call.cancel()
        if self.calls:
            await asyncio.wait(set(self.calls), timeout=1)
        self.record_at_once()
        await self._record()
        await self.leases.release_all()
        await self.caller.aclose()

    def _list_lanes(self) -> list[Lane]:
        return [lane for lane in self.lanes.values() if not lane.is_leaving]

    def record_at_once(self) -> None:
        """The next turn records whatever there is."""
        self._recorded_at = self._placed_at = -math.inf

    async def _record(self) -> None:
        now = self.seconds()
        is_placing = now - self._placed_at >= PLACE_SECONDS
        lanes = [
            lane
            for lane in self.lanes.values()
            if lane.results or (is_placing and lane.done_to != lane.stored_to)
        ]
        least = RECORD_SECONDS_BUSY if self._gives_way() else RECORD_SECONDS
        if not lanes or now - self._recorded_at < least:
            return
        is_told = await record_lanes(
            self.database, lanes, self.leases.holder, now=self.now(), draw=self.draw
        )
        self._recorded_at = now
        if is_placing:
            self._placed_at = now
        if is_told:
            self.on_change()

    async def _read_due(self, *, at_once: bool) -> None:
        """What waits for another attempt, once a second."""
        if not at_once and self.seconds() - self._due_at < POLL_SECONDS:
            return
        self._due_at = self.seconds()
        for lane in self._list_lanes():
            if lane.standing.waiting and len(lane.due) < FEW_DUE:
                found = await self.database.read(
                    list_due,
                    lane.hook.id,
                    self.now(),
                    ordered=lane.hook.ordered,
                    but=list(lane.begun),
                    limit=DUE_ROWS,
                )
                lane.add_due(found)
                if len(found) == DUE_ROWS:
                    self._due_at = -math.inf

    async def _read_events(self) -> None:
        if self._moved.is_set():
            self._moved.clear()
            for lane in self._list_lanes():
                lane.is_at_end = False
        lanes = [lane for lane in self._list_lanes() if lane.wants_events and not lane.is_at_end]
        if lanes and await self.feed.read(lanes):
            self.on_change()

    def _begin(self) -> None:
        """Begin calls as far as there is room, the endpoints taking turns."""
        if self._is_ending:
            return
        at_once = BUSY_CALLS if self._gives_way() else AT_ONCE
        lanes = self._rotate()
        now = self.now()
        while lanes and len(self.calls) < at_once:
            lanes = [lane for lane in lanes if len(self.calls) < at_once and self._call(lane, now)]

    def _rotate(self) -> list[Lane]:
        lanes = self._list_lanes()
        self._turn += 1
        cut = self._turn % len(lanes) if lanes else 0
        return lanes[cut:] + lanes[:cut]

    def _call(self, lane: Lane, now: datetime) -> bool:
        """Begin one call; False if none may begin or there is nothing to deliver."""
        if not self._has_room(lane, now) or (attempt := lane.take(now)) is None:
            return False
        call = asyncio.create_task(self._deliver(lane, attempt, now))
        self.calls.add(call)
        call.add_done_callback(self._on_done)
        return True

    def _has_room(self, lane: Lane, now: datetime) -> bool:
        if lane.calls and len(self.calls) >= AT_ONCE - KEPT_FREE:
            return False
        if lane.is_failing and self._count_failing() >= AT_ONCE_FAILING:
            return False
        is_leased = lane.leased_until - self.seconds() > TOTAL_SECONDS + 1
        return is_leased and lane.may_begin(now)

    def _count_failing(self) -> int:
        return sum(lane.calls for lane in self.lanes.values() if lane.is_failing)

    def _on_done(self, call: asyncio.Task[None]) -> None:
        self.calls.discard(call)
        self.news.set()
        if not self._gives_way():
            self._begin()

    async def _deliver(self, lane: Lane, attempt: Attempt, began_at: datetime) -> None:
        body = attempt.payload.body.encode()
        secrets = list(self._list_secrets(lane.hook, began_at))
        headers = HEADERS | sign(secrets, attempt.payload.message_id, began_at, body)
        try:
            answer = await self.caller.post(lane.hook.url, headers, body)
        except Exception as error:
            # Nothing that an endpoint does may stop the others.
            log.exception("delivery_failed", webhook=lane.hook.id)
            answer = EndpointAnswer(None, "", f"the call failed ({type(error).__name__})", 0.0)
        finally:
            lane.calls -= 1
        self._note(lane, attempt, began_at, answer)

    def _list_secrets(self, hook: Webhook, now: datetime) -> Iterator[bytes]:
        yield derive_secret(self.master, hook.salt)
        if hook.old_salt is not None and hook.old_salt_until and now < hook.old_salt_until:
            yield derive_secret(self.master, hook.old_salt)

    def _note(
        self, lane: Lane, attempt: Attempt, began_at: datetime, answer: EndpointAnswer
    ) -> None:
        is_delivered = answer.verdict is Verdict.DELIVERED
        self.metrics.webhook_deliveries.labels("delivered" if is_delivered else "failed").inc()
        lane.last_message_id = attempt.payload.message_id
        lane.judge(answer, began_at, self.now())
        if not is_delivered and attempt.row is None and lane.is_full and not lane.disabled_reason:
            lane.put_back(attempt)
            lane.resume_at = max(lane.resume_at or began_at, self.now() + PROBE)
        else:
            lane.finish(Result(attempt, began_at, answer))
