"""Housekeeping beside the work: deferred writes, heartbeats, tidying up, counting."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from app.domain.errors import Unavailable
from app.flows.access.auth_gate import AuthGate
from app.flows.inbound.refused_forwards import report_refused
from app.flows.operations.alarms.raise_alarms import close_removed
from app.flows.operations.alarms.watch_storage import StorageWatch
from app.flows.operations.deferred_writes import Batch, DeferredWrites
from app.flows.operations.processes.metrics import Metrics
from app.flows.operations.processes.process_figures import pack_figures
from app.storage.access.audit import forget_failed_sign_ins
from app.storage.access.numbers import note_auths_seen
from app.storage.conversations.attention import end_old_attention
from app.storage.conversations.drafts import forget_old_drafts
from app.storage.db.database import Connection, Database
from app.storage.inbound.intake import Intake
from app.storage.inbound.refusals import add_refusals, forget_old_refusals
from app.storage.operations.alerts import (
    close_alert,
    count_open_alerts,
    forget_old_alerts,
    raise_alert,
)
from app.storage.operations.erasures.tombstones import forget_old_tombstones
from app.storage.operations.events import forget_old_events
from app.storage.operations.idempotency import forget_old_answers
from app.storage.operations.processes import (
    GONE_AFTER,
    Process,
    forget_processes,
    list_processes,
    note_figures,
    note_process,
)
from app.storage.operations.queues import find_oldest
from app.storage.operations.stats import count_backlog
from app.storage.outbound.batch_rows import forget_old_rows
from app.storage.outbound.sending.backlog import count_uncertain, count_waiting, find_oldest_due
from app.storage.outbound.sending.sender import get_sender
from app.storage.spool.quarantine import Quarantine
from app.storage.webhooks.deliveries import forget_old_deliveries

TICK_SECONDS = 1.0
HEARTBEAT = timedelta(seconds=10)
ADOPTION = timedelta(seconds=30)
LOOKING = timedelta(seconds=30)
TIDYING = timedelta(minutes=10)
COUNTING = timedelta(seconds=5)
TIDIED_ROWS = 1_000
COUNTED_BACKLOG = 100_000

VANISHED = "process-vanished"

log = structlog.get_logger("letterbox.housekeeping")


@dataclass
class Housekeeper:
    """One per process; `tick` does what is due."""

    database: Database
    auth_gate: AuthGate
    intake: Intake | None
    deferred_writes: DeferredWrites
    quarantine: Quarantine
    metrics: Metrics
    process: Process
    watch: StorageWatch
    now: Callable[[], datetime]
    _due: dict[str, datetime] = field(default_factory=dict)
    _spooling_since: datetime | None = None

    async def tick(self) -> None:
        """A failure does not stop the other steps; it is raised at the end."""
        if self.intake:
            # First, because it matters most while the database is unavailable.
            self.metrics.spool_depth.set(self.intake.depth)
            self.metrics.spool_bytes.set(self.intake.spool_bytes)
            self._note_spool_age(self.intake.depth)
        failures: list[Exception] = []
        for step in self._list_due():
            try:
                await step()
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 a failure must not delay a heartbeat
                failures.append(error)
        if failures:
            raise failures[0]

    def _note_spool_age(self, depth: int) -> None:
        """No message in the spool can be older than since when it has not been empty."""
        self._spooling_since = (self._spooling_since or self.now()) if depth else None
        self.metrics.note_queues({"spool": self._spooling_since}, self.now())

    def _list_due(self) -> Iterator[Callable[[], Awaitable[object]]]:
        database = self.database
        yield self.watch.look
        yield self.auth_gate.refresh
        yield self.write_deferred
        if self._is_due("heartbeat", HEARTBEAT):
            yield lambda: database.write(self._beat, self.now())
        if self.intake and self.intake.direct and self._is_due("adoption", ADOPTION):
            yield self.intake.drain_abandoned
        if self._is_due("quarantine", LOOKING):
            yield lambda: close_removed(database, self.quarantine, self.now())
        if self._is_due("tidying", TIDYING):
            yield self._tidy
        yield self._count_waiting
        if self._is_due("outbox", COUNTING):
            yield lambda: database.read(self._count_outbox)

    async def _count_waiting(self) -> None:
        self.metrics.backlog.set(await self.database.read(count_backlog, at_most=COUNTED_BACKLOG))
        self.metrics.open_alerts.set(await self.database.read(count_open_alerts))

    async def write_deferred(self) -> None:
        """Write what was noticed, or keep it for the next time."""
        arrived = self.deferred_writes.take_arrived()
        if arrived:
            # Neither numbers nor texts belong in a log.
            log.info("texts_arrived", count=arrived)
        batch = self.deferred_writes.take()
        if not batch:
            return
        refused = sum(refusal.count for refusal in batch.refusals)
        if refused:
            log.warning("forwards_refused", count=refused, reason=batch.refusals[0].reason)
        try:
            await self.database.write(_write_batch, batch, self.now())
        except BaseException:
            self.deferred_writes.put_back(batch)
            raise

    async def _tidy(self) -> None:
        """Delete what is too old, in small steps, so that others can write in between."""
        for forget in (
            forget_old_events,
            forget_old_answers,
            forget_old_alerts,
            forget_old_drafts,
            forget_old_refusals,
            forget_failed_sign_ins,
            end_old_attention,
            forget_old_rows,
            forget_old_deliveries,
            forget_old_tombstones,
        ):
            gone = TIDIED_ROWS
            while gone == TIDIED_ROWS:
                gone = await self.database.write(forget, self.now(), limit=TIDIED_ROWS)

    async def deregister(self) -> None:
        """Write what is left, and deregister the process unless its spool still holds messages."""
        await self.watch.look()
        await self.write_deferred()
        if self.intake is None or not self.intake.depth:
            await self.database.write(forget_processes, [self.process.id])

    def _is_due(self, name: str, period: timedelta) -> bool:
        now = self.now()
        wait = self._due.get(name, now) - now
        if timedelta() < wait <= period:  # a longer wait means the clock was set back
            return False
        self._due[name] = now + period
        return True

    def _count_outbox(self, conn: Connection) -> None:
        self.metrics.outbox_depth.set(count_waiting(conn, at_most=COUNTED_BACKLOG))
        self.metrics.uncertain.set(count_uncertain(conn))
        oldest = {**find_oldest(conn), "outbox": find_oldest_due(conn, self.now())}
        self.metrics.note_queues(oldest, self.now())
        balance = get_sender(conn).credits
        if balance is not None:
            self.metrics.credits.set(float(balance))

    def _beat(self, conn: Connection, now: datetime) -> None:
        depth = self.intake.depth if self.intake else 0
        note_process(conn, replace(self.process, seen_at=now, spool_depth=depth))
        if self.process.kind == "work":
            note_figures(conn, self.process.id, pack_figures(self.metrics.registry))
        _report_vanished(conn, now)


def _write_batch(conn: Connection, batch: Batch, now: datetime) -> None:
    if batch.refusals:
        add_refusals(conn, batch.refusals)
        report_refused(conn, batch.refusals, now, vouched=batch.vouched)
    note_auths_seen(conn, batch.seen_auths)
    forget_processes(conn, batch.adopted)
    for process_id in batch.adopted:
        close_alert(conn, VANISHED, process_id, now=now)
    for (kind, subject), found in batch.conditions.items():
        if found.text is not None:
            raise_alert(conn, kind, subject, text=found.text, action=found.action, now=now)
        if found.ended:
            close_alert(conn, kind, subject, now=now)
    for alert in batch.alerts:
        raise_alert(conn, **asdict(alert), now=now)


def _report_vanished(conn: Connection, now: datetime) -> None:
    """The spool of a web process that vanished may hold messages that only it can reach."""
    for gone in list_processes(conn):
        if now - gone.seen_at < GONE_AFTER:
            continue
        if gone.kind == "work":
            forget_processes(conn, [gone.id])
            continue
        raise_alert(
            conn,
            VANISHED,
            gone.id,
            text=f"A web process on {gone.host} vanished at about"
            f" {gone.seen_at:%Y-%m-%d %H:%M} UTC; its spool may hold messages.",
            action=f"Start Letterbox on {gone.host} with the same DATA_DIR: it stores them. If"
            " that disk is lost, run `letterbox reconcile` for that time.",
            now=now,
            count=0,
        )
