"""Tells people what happens: alerts, texts that need an answer, a daily summary.

What there is to tell comes from the feed of events, by two cursors for each address. An attempt
counts as failed before it begins, so kill -9 repeats a message once, after a pause.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog

from app.domain.access.sealing import Sealer
from app.domain.errors import NotFound, Unavailable, Unreadable
from app.domain.operations.notices import Notice, write_notice, write_test
from app.domain.operations.notify_addresses import (
    find_summary_day,
    is_quiet,
    mask_address,
    may_send,
)
from app.flows.operations.notifications.collect_news import Collected, collect_news
from app.flows.operations.processes.leader import take_turn
from app.flows.operations.processes.metrics import Metrics
from app.storage.db.database import Connection, Database
from app.storage.operations import notify_addresses
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.events import read_event_bounds
from app.storage.operations.notify_addresses import ALERTED_FAILURES, NotifyAddress, Progress

FAILING = "notify-failing"
# How many events an address may be behind before that is written: nothing in them is for it.
MOST_BEHIND = 1_000
END_SECONDS = 2.0
# How often the result of a message that went out is written before giving up.
RECORD_TRIES = 5
RECORD_SECONDS = 1.0

log = structlog.get_logger("letterbox.notify")


class Deliver(Protocol):
    """Sends a notice; returns what went wrong, without secrets, or ""."""

    async def __call__(self, address_id: int, address: str, notice: Notice) -> str: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that is about to go out; `collected` is None for a test."""

    address: NotifyAddress
    notice: Notice
    collected: Collected | None


@dataclass
class Notifier:
    """One per worker process. `configured` are the addresses of NOTIFY."""

    database: Database
    sealer: Sealer
    configured: Sequence[str]
    base_url: str
    deliver: Deliver
    metrics: Metrics
    on_change: Callable[[], None]
    now: Callable[[], datetime]
    _by_digest: Mapping[bytes, str] | None = None
    # Up to which event nothing was found for an address, and whether hours were quiet then.
    _read_up_to: dict[int, tuple[int, bool]] = field(default_factory=dict)
    _tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    async def turn(self) -> None:
        """Begin to send what is due; one address waits for no other. Raises Unavailable."""
        if self._by_digest is None:
            await self._take_configured()
        for address in await self.database.read(self._find_due):
            if address.id not in self._tasks:
                task = asyncio.create_task(self._serve(address))
                self._tasks[address.id] = task
                task.add_done_callback(partial(self._forget, address.id))

    def _forget(self, address_id: int, _: asyncio.Task[None]) -> None:
        del self._tasks[address_id]

    async def settle(self) -> None:
        """Wait for what is on its way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def end(self) -> None:
        """Give what is on its way a moment; what is cut off is sent again later."""
        tasks = set(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=END_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_configured(self) -> None:
        by_digest = {self.sealer.digest(address): address for address in self.configured}
        await self.database.write(self._set_configured, by_digest)
        self._by_digest = by_digest

    def _set_configured(self, conn: Connection, by_digest: Mapping[bytes, str]) -> None:
        masked = {digest: mask_address(address) for digest, address in by_digest.items()}
        now = self.now()
        for gone in notify_addresses.set_configured(conn, masked, now):
            close_alert(conn, FAILING, gone.subject, now=now)

    def _find_due(self, conn: Connection) -> list[NotifyAddress]:
        _, newest = read_event_bounds(conn)
        return [
            each
            for each in notify_addresses.list_addresses(conn)
            if each.is_enabled and self._is_due(conn, each, newest)
        ]

    def _is_due(self, conn: Connection, address: NotifyAddress, newest: int) -> bool:
        now = self.now()
        if address.is_test_due:
            return True
        if not may_send(address.schedule, now):
            return False
        if find_summary_day(address.schedule, now) is not None:
            return True
        place = (newest, is_quiet(address.wishes, now))
        if self._read_up_to.get(address.id) == place:
            return False
        collected = collect_news(conn, address, now)
        if collected.news or collected.skips_alerts or not collected.is_complete:
            return True
        self._read_up_to[address.id] = place
        return _find_step(address, collected.progress) > MOST_BEHIND

    async def _serve(self, address: NotifyAddress) -> None:
        try:
            async with take_turn(
                self.database, address.lease, now=self.now, notes_success=False
            ) as is_mine:
                if is_mine:
                    await self._send(address.id)
        except Unavailable as error:
            log.debug("notification_later", address=address.id, error=str(error))
        except Exception:
            log.exception("notification_failed", address=address.id)

    async def _send(self, address_id: int) -> None:
        attempt = await self.database.write(self._begin, address_id)
        if attempt is None:
            return
        address = attempt.address
        try:
            target = self._open(address)
        except Unreadable as error:
            problem = f"the address cannot be read: {error}; remove it and add it again"
        else:
            problem = await self.deliver(address.id, target, attempt.notice)
        self.metrics.notifications.labels("failed" if problem else "sent").inc()
        await self._record(attempt, problem)
        self.on_change()

    def _begin(self, conn: Connection, address_id: int) -> Attempt | None:
        """What to send, noted as an attempt; None where there is nothing after all."""
        now = self.now()
        try:
            address = notify_addresses.get_address(conn, address_id)
        except NotFound:
            return None
        if address.is_test_due:
            notify_addresses.begin_attempt(conn, address, now)
            return Attempt(address, write_test(self.base_url), None)
        if not address.is_enabled or not may_send(address.schedule, now):
            return None
        collected = collect_news(conn, address, now)
        if not collected.news:
            notify_addresses.advance(conn, address.id, collected.progress)
            return None
        notify_addresses.begin_attempt(conn, address, now)
        return Attempt(address, write_notice(collected.news, self.base_url), collected)

    def _open(self, address: NotifyAddress) -> str:
        if address.sealed is not None:
            return self.sealer.open(address.sealed)
        found = (self._by_digest or {}).get(address.digest)
        if found is None:
            raise Unreadable("another process has it in its LETTERBOX_NOTIFY, this one has not")
        return found

    async def _record(self, attempt: Attempt, problem: str) -> None:
        """Without it the message is sent again, so a database that is away is tried again."""
        for _ in range(RECORD_TRIES - 1):
            try:
                await self.database.write(self._finish, attempt, problem)
            except Unavailable:
                await asyncio.sleep(RECORD_SECONDS)
            else:
                return
        await self.database.write(self._finish, attempt, problem)

    def _finish(self, conn: Connection, attempt: Attempt, problem: str) -> None:
        now, address = self.now(), attempt.address
        try:
            is_enabled = notify_addresses.get_address(conn, address.id).is_enabled
        except NotFound:
            return
        if problem:
            log.warning("notification_refused", address=address.subject, error=problem)
            notify_addresses.note_failed(conn, address.id, problem)
            if address.failures + 1 >= ALERTED_FAILURES and is_enabled:
                _raise_failing(conn, address, problem, now)
            return
        if attempt.collected is None:
            notify_addresses.note_tested(conn, address.id)
        else:
            notify_addresses.note_sent(conn, address.id, attempt.collected.progress, now)
        close_alert(conn, FAILING, address.subject, now=now)


def _find_step(address: NotifyAddress, progress: Progress) -> int:
    """How many events it can go on at most."""
    return max(
        progress.alerts_after - address.alerts_after, progress.texts_after - address.texts_after
    )


def _raise_failing(conn: Connection, address: NotifyAddress, problem: str, now: datetime) -> None:
    raise_alert(
        conn,
        FAILING,
        address.subject,
        text=f"Notifications do not reach {address.masked}: {problem}",
        action="Send a test on the notifications page, and correct or remove the address. Letterbox"
        " keeps trying, at least once an hour.",
        now=now,
    )
