"""What a process remembers of an endpoint that it delivers to: what comes next, and how it does."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.domain.webhooks.retries import FAILING_FOR, EndpointAnswer, Verdict
from app.flows.webhooks.payloads import Payload
from app.storage.webhooks.deliveries import Delivery
from app.storage.webhooks.endpoints import Webhook
from app.storage.webhooks.recording import Standing

AT_ONCE = 4
# An endpoint that fails has one call at a time until it succeeds.
AT_ONCE_FAILING = 1
# More events are read once fewer than this are ready.
FEW_READY = 50
# How many events may be read and not be dealt with.
MOST_OPEN = 300
# Of an endpoint that does not recover, no more deliveries than these become rows. Its other events
# stay where they are, and the next of them shows once a minute whether it has recovered.
MOST_WAITING = 1_000
PROBE = timedelta(minutes=1)
# After failures for so long, a success means that what failed since then is due at once. What fails
# for its own sake, among others that succeed, keeps its waits.
OUTAGE = timedelta(minutes=1)


@dataclass(eq=False, slots=True)
class Attempt:
    """One payload for one endpoint; `made` counts the attempts before this one.

    `row` is its delivery, if there is one already.
    """

    payload: Payload
    made: int = 0
    row: Delivery | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt came to; None: it was not made, because an earlier event waits."""

    attempt: Attempt
    began_at: datetime
    answer: EndpointAnswer | None


@dataclass(eq=False, slots=True)
class Lane:
    """An endpoint of this process, until `leased_until` (monotonic seconds).

    `read_to` is the last event that was read; `done_to` the last one up to which all are dealt
    with, of which `stored_to` is what is stored. `recovered_from` and `disabled_at` are to be
    recorded; `is_told`: that it is disabled has been.
    """

    hook: Webhook
    leased_until: float
    standing: Standing
    read_to: int
    done_to: int
    stored_to: int
    failing_since: datetime | None
    resume_at: datetime | None
    recovered_from: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    is_told: bool = False
    last_message_id: str | None = None
    is_leaving: bool = False
    is_at_end: bool = False
    calls: int = 0
    # Since its finished deliveries were trimmed.
    delivered: int = 0
    # Events that were read and are not dealt with, each with how many payloads are left.
    open: dict[int, int] = field(default_factory=dict)
    ready: deque[Attempt] = field(default_factory=deque)
    due: deque[Attempt] = field(default_factory=deque)
    # Begun and not recorded, by message id.
    begun: dict[str, Attempt] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way or to be recorded."""
        return not self.calls and not self.results

    @property
    def wants_events(self) -> bool:
        return not self.is_leaving and len(self.ready) < FEW_READY and len(self.open) < MOST_OPEN

    @property
    def is_full(self) -> bool:
        """Whether no more deliveries may become rows."""
        return self.standing.waiting + len(self.results) >= MOST_WAITING

    def may_begin(self, now: datetime) -> bool:
        """Whether another call to it may begin."""
        if self.is_leaving or (self.resume_at is not None and now < self.resume_at):
            return False
        return self.calls < (AT_ONCE_FAILING if self.is_failing else AT_ONCE)

    def wants(self, payload: Payload) -> bool:
        """Whether the endpoint chose the type and the number."""
        numbers = self.hook.numbers
        is_ours = not numbers or payload.number is None or payload.number in numbers
        return payload.type in self.hook.types and is_ours

    def add_events(self, payloads: Iterable[Payload], place: int) -> None:
        """What was read after `read_to`, up to `place`, in the order of the events."""
        wanted = [payload for payload in payloads if self.wants(payload)]
        for payload in wanted:
            self.open[payload.event_id] = self.open.get(payload.event_id, 0) + 1
        self.ready.extend(Attempt(payload) for payload in wanted)
        self.read_to = place
        self._move_on()

    def add_due(self, rows: Iterable[Delivery]) -> None:
        """Deliveries whose next attempt is due, in place of those that were read before."""
        self.due = deque(
            Attempt(_make_payload(row), row.attempts, row)
            for row in rows
            if row.message_id not in self.begun
        )

    def take(self, now: datetime) -> Attempt | None:
        """The next one to attempt, if any may be; rows come first, because they are older."""
        attempt = self._take_due() or self._take_ready(now)
        if attempt is not None:
            self.begun[attempt.payload.message_id] = attempt
            self.calls += 1
        return attempt

    def _take_due(self) -> Attempt | None:
        while self.due:
            attempt = self.due.popleft()
            held = attempt.payload.message_id in self.begun
            if not held and not self._is_held(attempt.payload.order_key):
                return attempt
        return None

    def _take_ready(self, now: datetime) -> Attempt | None:
        if not self.hook.ordered:
            while self.ready:
                attempt = self.ready.popleft()
                if attempt.payload.message_id not in self.begun:
                    return attempt
                self.settle(attempt.payload.event_id)  # a replayed event, just being delivered
            return None
        for attempt in self._list_free():
            key = attempt.payload.order_key
            if key not in self.standing.stuck_keys:
                self.ready.remove(attempt)
                return attempt
            if self.is_full:
                return None
            # An earlier event of the conversation waits as a row, so this one becomes a row, too.
            self.ready.remove(attempt)
            self.begun[attempt.payload.message_id] = attempt
            self.finish(Result(attempt, now, None))
        return None

    def _list_free(self) -> Iterator[Attempt]:
        """The first of each key that nothing of is being delivered."""
        seen = {attempt.payload.order_key for attempt in self.begun.values()}
        for attempt in list(self.ready):
            if attempt.payload.order_key not in seen:
                seen.add(attempt.payload.order_key)
                yield attempt

    def _is_held(self, key: str) -> bool:
        if not self.hook.ordered:
            return False
        return any(attempt.payload.order_key == key for attempt in self.begun.values())

    def judge(self, answer: EndpointAnswer, began_at: datetime, now: datetime) -> None:
        """What an answer says about the endpoint."""
        if answer.verdict is Verdict.DELIVERED:
            if self.failing_since is not None and now - self.failing_since >= OUTAGE:
                self.recovered_from = self.recovered_from or self.failing_since
            self.failing_since = None
            self.delivered += 1
            return
        self.failing_since = self.failing_since or began_at
        if answer.pause:
            self.resume_at = max(self.resume_at or now, now + answer.pause)
        if answer.verdict is Verdict.GONE:
            self.disabled_reason = "it answered 410 (gone)"
        elif now - self.failing_since >= FAILING_FOR:
            self.disabled_reason = f"it has failed for {FAILING_FOR.days} days: {answer.error}"
        if self.disabled_reason is not None:
            self.disabled_at = self.disabled_at or now
            self.is_leaving = True

    def finish(self, result: Result) -> None:
        """It is dealt with once the results are recorded, which are all recorded together."""
        self.results.append(result)
        if result.attempt.row is None:
            self.settle(result.attempt.payload.event_id)

    def put_back(self, attempt: Attempt) -> None:
        """Attempt it again later, without a row."""
        self.begun.pop(attempt.payload.message_id, None)
        self.ready.appendleft(attempt)

    def forget(self, count: int) -> None:
        """So many results are recorded."""
        for result in self.results[:count]:
            self.begun.pop(result.attempt.payload.message_id, None)
        del self.results[:count]

    def settle(self, event_id: int) -> None:
        """One payload of the event is dealt with."""
        left = self.open.get(event_id, 0) - 1
        if left > 0:
            self.open[event_id] = left
        else:
            self.open.pop(event_id, None)
        self._move_on()

    def _move_on(self) -> None:
        """Up to the first event that is not dealt with; they were added in order."""
        first = next(iter(self.open), None)
        self.done_to = self.read_to if first is None else first - 1


def _make_payload(row: Delivery) -> Payload:
    return Payload(
        row.event_id, row.message_id, row.type, row.happened_at, None, row.order_key, row.body
    )
