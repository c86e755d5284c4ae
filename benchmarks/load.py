"""The load: a separate process; each connection has one request in flight."""

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

from benchmarks.forwards import CALM_TEXTS, TEXTS, Dialect, make_id, make_requests

VARIANTS = 1000
# How each says that it has the message.
ACCEPTED: Mapping[Dialect, bytes] = {"letterbox": b"200", "kannel": b"202"}
# Of calm texts: more than a process keeps in any cache.
CALM_VARIANTS = 10_000
# Rates are told for each piece of so long.
PIECE_SECONDS = 3.0
# After the time is up, how long the last answers may take.
GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send. The first `warm_up_seconds` are sent as well but not measured.

    Ids count up from `first_id`; those accepted are written to `ids_path`, one a line. With
    `per_second`, requests leave at that pace as long as a connection is free, else as soon as one
    is. `is_calm`: nobody opts out, and nearly every text is another.
    """

    port: int
    auth: str
    connections: int
    seconds: float
    warm_up_seconds: float
    first_id: int
    ids_path: str
    method: str = "GET"
    most_requests: int = 500_000
    per_second: float = 0.0
    is_calm: bool = False
    dialect: Dialect = "letterbox"


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came back. `p50` and `p99` are seconds; `statuses` counts the warm-up's answers, too.

    `accepted` are those of them that say that the server has the message, `refused` the others.
    `pieces` are the rates of each whole 3 s. `broken` counts connections that ended early; `busy`
    is the load's own share of its core: near 1 the figures tell of the load, not of the server.
    """

    answered: int
    per_second: float
    p50: float
    p99: float
    statuses: dict[str, int]
    accepted: int
    refused: int
    broken: int
    busy: float
    pieces: list[float]


def run_load(plan: LoadPlan) -> LoadResult:
    """Send the load from a process of its own and wait for it."""
    limit = plan.warm_up_seconds + plan.seconds + GRACE_SECONDS + 30
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(plan))],
        stdout=subprocess.PIPE,
        timeout=limit,
        check=True,
    )
    return LoadResult(**json.loads(done.stdout))


class Load:
    """What the connections share: the next request and the record of answers."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._requests = make_requests(
            seed=plan.first_id,
            count=CALM_VARIANTS if plan.is_calm else VARIANTS,
            port=plan.port,
            auth=plan.auth,
            method=plan.method,
            texts=CALM_TEXTS if plan.is_calm else TEXTS,
            dialect=plan.dialect,
        )
        self._accepted = ACCEPTED[plan.dialect]
        self._sent = 0
        self._open = plan.connections
        self._began_at = self._stop_at = 0.0
        self.measure_from = 0.0
        self.answers: list[tuple[float, float]] = []
        self.statuses: Counter[bytes] = Counter()
        self.acknowledged: list[bytes] = []
        self.broken = 0
        self.finished = asyncio.Event()

    def begin(self) -> None:
        """Start the clock, once all are connected."""
        self._began_at = time.perf_counter()
        self.measure_from = self._began_at + self._plan.warm_up_seconds
        self._stop_at = self.measure_from + self._plan.seconds

    def next_request(self, now: float) -> tuple[bytes, bytes, float] | None:
        """An id, its request and when it leaves; None once time or count are used up."""
        due = now
        if self._plan.per_second:
            due = max(now, self._began_at + self._sent / self._plan.per_second)
        if due >= self._stop_at or self._sent >= self._plan.most_requests:
            return None
        identity = make_id(self._plan.first_id + self._sent)
        before, after = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        return identity, before + identity + after, due

    def record(self, identity: bytes, status: bytes, sent_at: float, now: float) -> None:
        self.statuses[status] += 1
        if status == self._accepted:
            self.acknowledged.append(identity)
        if self.measure_from <= now <= self._stop_at:
            self.answers.append((now, now - sent_at))

    def leave(self, *, early: bool) -> None:
        """A connection has ended."""
        self.broken += early
        self._open -= 1
        if not self._open:
            self.finished.set()

    def summarise(self, busy: float) -> LoadResult:
        times = sorted(took for _, took in self.answers)
        span = max((now for now, _ in self.answers), default=0.0) - self.measure_from
        return LoadResult(
            answered=len(times),
            per_second=len(times) / span if times else 0.0,
            p50=pick_percentile(times, 0.5),
            p99=pick_percentile(times, 0.99),
            statuses={status.decode(): count for status, count in self.statuses.items()},
            accepted=len(self.acknowledged),
            refused=self.statuses.total() - len(self.acknowledged),
            broken=self.broken,
            busy=busy,
            pieces=self._cut_pieces(),
        )

    def _cut_pieces(self) -> list[float]:
        counts = Counter(int((now - self.measure_from) / PIECE_SECONDS) for now, _ in self.answers)
        whole = int(self._plan.seconds / PIECE_SECONDS)
        return [counts[number] / PIECE_SECONDS for number in range(whole)]


class Connection(asyncio.Protocol):
    """One keep-alive connection; its next request leaves as soon as the answer is complete."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._partial = b""
        self._identity = b""
        self._sent_at = 0.0
        self._done = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but name.
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        now = time.perf_counter()
        following = self._load.next_request(now)
        if following is None:
            self._done = True
            self._transport.close()
            return
        self._identity, request, due = following
        if due > now:
            asyncio.get_running_loop().call_later(due - now, self._leave, request)
        else:
            self._leave(request)

    def _leave(self, request: bytes) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        data = self._partial + data
        length = measure_answer(data)
        if length is None or len(data) < length:
            self._partial = data
            return
        self._partial = b""
        self._load.record(self._identity, data[9:12], self._sent_at, time.perf_counter())
        self.send()

    def connection_lost(self, _error: Exception | None) -> None:
        self._load.leave(early=not self._done)


def measure_answer(data: bytes) -> int | None:
    """The whole answer's length, or None where its head is not complete yet.

    Raises ValueError for an answer without a Content-Length: none that we measure is like that.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower()
    start = head.index(b"\r\ncontent-length:") + 17
    stop = head.find(b"\r\n", start)
    return end + 4 + int(head[start : stop if stop > 0 else end])


def pick_percentile(ordered: list[float], share: float) -> float:
    """The value that `share` of the ordered ones do not exceed; 0.0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


async def send_load(plan: LoadPlan) -> LoadResult:
    """Connect, send, wait for the last answers, and write the ids that were acknowledged."""
    load = Load(plan)
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: Connection(load), "127.0.0.1", plan.port))[1]
        for _ in range(plan.connections)
    ]
    # The record only grows: garbage collection would show as a slow server.
    gc.disable()
    used, began = time.process_time(), time.perf_counter()
    load.begin()
    for connection in connections:
        connection.send()
    async with asyncio.timeout(plan.warm_up_seconds + plan.seconds + GRACE_SECONDS):
        await load.finished.wait()
    busy = (time.process_time() - used) / (time.perf_counter() - began)
    await asyncio.to_thread(_write_ids, Path(plan.ids_path), load.acknowledged)
    return load.summarise(busy)


def _write_ids(path: Path, ids: list[bytes]) -> None:
    path.write_bytes(b"\n".join(ids))


def main() -> None:
    """`python -m benchmarks.load PLAN`: the plan as JSON, the result as JSON on stdout."""
    plan = LoadPlan(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(uvloop.run(send_load(plan)))))


if __name__ == "__main__":
    main()
