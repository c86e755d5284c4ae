"""Samples what PostgreSQL's sessions wait for, with the names of our own locks."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg

from app.storage.inbound.inbound import MESSAGES_LOCK
from app.storage.operations.events import EVENTS_LOCK
from app.storage.outbound.outbox import OUTBOUND_LOCK

PAUSE_SECONDS = 0.02
LOCKS = {
    MESSAGES_LOCK: "waits for the lock of messages",
    EVENTS_LOCK: "waits for the lock of events",
    OUTBOUND_LOCK: "waits for the lock of the outbox",
}
# A session whose transaction is open while it waits for us holds its locks all the same.
_QUERY = """
SELECT a.state, a.wait_event_type, a.wait_event,
       (l.classid::bigint << 32) | l.objid::bigint, l.relation::regclass::text
FROM pg_stat_activity a
LEFT JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
WHERE a.datname = current_database() AND a.backend_type = 'client backend'
  AND a.pid <> pg_backend_pid() AND a.state IN ('active', 'idle in transaction')
"""


@dataclass(slots=True)
class Waits:
    """How often a session was seen in each state, in so many samples."""

    seen: Counter[str] = field(default_factory=Counter)
    samples: int = 0

    def average(self) -> dict[str, float]:
        """Sessions at once, by state."""
        return {name: count / max(1, self.samples) for name, count in self.seen.items()}


@contextlib.contextmanager
def sampling_waits(url: str) -> Iterator[Waits]:
    """Sample in a thread until the block ends."""
    waits, ended = Waits(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_sample(url, waits, ended)))
    thread.start()
    try:
        yield waits
    finally:
        ended.set()
        thread.join()


async def _sample(url: str, waits: Waits, ended: threading.Event) -> None:
    connection = await asyncpg.connect(url, ssl=False)
    try:
        statement = await connection.prepare(_QUERY)
        while not ended.is_set():
            rows = await statement.fetch()
            waits.samples += 1
            waits.seen.update(name_state(*row) for row in rows)
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await connection.close()


def name_state(
    state: str,
    kind: str | None,
    event: str | None,
    number: int | None,
    table: str | None,
) -> str:
    """What a session does, in a few words."""
    if state != "active":
        return "in a transaction, while Letterbox computes"
    if kind is None:
        return "computes"
    if event == "advisory":
        # The two views are not read at the same moment: it may have got its lock in between.
        return LOCKS.get(number or 0, "waits for an advisory lock (another, or not known)")
    if kind == "Lock":
        return f"waits for a row or table ({table or event})"
    return f"waits: {kind} {event}"
