"""Compares the messages with the provider's report, and stores texts that never arrived."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.batches import cut
from app.domain.errors import Conflict
from app.domain.inbound.reconciling import (
    AMBIGUITY,
    TOLERANCE,
    ReportedText,
    match_by_id,
    match_by_text,
)
from app.domain.numbers import normalise_number
from app.domain.provider_errors import ProviderError
from app.flows.inbound.store_missing import MISSING, make_message, store_batch
from app.flows.operations.processes.leader import take_turn
from app.provider.client import ProviderClient
from app.provider.reports import InboundRow, read_inbound
from app.storage.db.database import Connection, Database
from app.storage.inbound.reconciling import find_by_id, find_erased_rows, find_hindrance, find_near
from app.storage.operations.alerts import close_alert, close_quiet_alerts, raise_alert
from app.storage.operations.daily_counts import DailyCounts
from app.storage.operations.leases import find_first_taken, find_last_success, return_lease
from app.storage.operations.processes import GONE_AFTER

REPORT = "InboundMessages"
LEASE = "reconcile"
# A forward may come later than the row in the report, and a row later than its own time.
UNTOUCHED = timedelta(minutes=10)
# Messages may be removed a little after they were received as long ago as that.
KEPT_MARGIN = timedelta(hours=1)
OVERLAP = timedelta(hours=2)
# Compared in memory, so only a few hours of texts at a time.
SLICE = timedelta(hours=6)
BATCH_ROWS = 100
# How far around the times of the rows messages are searched for.
SEARCHED = AMBIGUITY + 2 * TOLERANCE
# The alert closes when nothing has been missing for this long.
QUIET = timedelta(hours=24)

# Reported texts by our number and day.
Counted = Counter[tuple[str, datetime]]

FAILED = "reconcile-failed"


@dataclass(frozen=True, slots=True)
class Window:
    """The period that a run compares; rows after `count_from` are added to the daily counts."""

    since: datetime
    until: datetime
    count_from: datetime


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`reported` rows were in the report; `missing` of them were stored from it.

    `unreadable` ones have neither a readable time nor a known id, so they may be missing or not.
    """

    since: datetime
    until: datetime
    reported: int
    missing: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What belongs to a row of this run already: ids of messages, and of tombstones."""

    messages: set[int] = field(default_factory=set)
    tombstones: set[int] = field(default_factory=set)


class Reconciler:
    """Compares the provider's report with the messages stored here; one run at a time."""

    def __init__(
        self,
        database: Database,
        client: ProviderClient,
        *,
        zone: ZoneInfo,
        region: str,
        now: Callable[[], datetime],
        keep: timedelta | None = None,
    ) -> None:
        """`zone` is that of the provider's times; `keep` is KEEP_DAYS: what is older was removed,
        and must not come back.
        """
        self._database = database
        self._client = client
        self._zone = zone
        self._region = region
        self._now = now
        self._keep = keep

    async def run(
        self, on_progress: Callable[[float], None] = lambda _: None
    ) -> Reconciliation | None:
        """Compare what came since the last run; None if another runs or messages are on their way.

        Raises ProviderError, after an alert, and Unavailable.
        """
        began_at = self._now()
        async with self._take_turn() as holder:
            if holder is None:
                return None
            window = await self._database.read(_choose_window, began_at)
            window = replace(window, since=self._leave_removed(window.since, window.until))
            if await self._find_hindrance(window.until):
                return None
            try:
                result, counted = await self._compare(window, on_progress)
            except ProviderError as error:
                await self._database.write(_note_failure, str(error), self._now())
                raise
            await self._database.write(self._note_result, result, counted, holder, began_at)
            return result

    async def run_window(
        self,
        since: datetime,
        until: datetime,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> Reconciliation:
        """Compare a period that somebody names; `on_progress` gets the share that is done.

        Texts of the last ten minutes are left alone. Raises Conflict if another run is going on or
        messages of that time are on their way, ProviderError and Unavailable.
        """
        until = min(until, self._now() - UNTOUCHED)
        async with self._take_turn() as holder:
            if holder is None:
                raise Conflict("a reconciliation is going on: try again in a moment")
            hindrance = await self._find_hindrance(until)
            if hindrance:
                raise Conflict(f"{hindrance}: try again when they are stored")
            # The automatic runs have counted these texts.
            since = self._leave_removed(since, max(since, until))
            window = Window(since, max(since, until), count_from=datetime.max.replace(tzinfo=UTC))
            result, _ = await self._compare(window, on_progress)
            return result

    def _leave_removed(self, since: datetime, until: datetime) -> datetime:
        if self._keep is None:
            return since
        return max(since, min(until, self._now() - self._keep + KEPT_MARGIN))

    def _take_turn(self) -> AbstractAsyncContextManager[str | None]:
        return take_turn(self._database, LEASE, now=self._now, notes_success=False)

    def _note_result(
        self,
        conn: Connection,
        result: Reconciliation,
        counted: Counted,
        holder: str,
        began_at: datetime,
    ) -> None:
        """Note the success in the same transaction as the counts, so that no window is counted
        twice after an interruption.
        """
        now = self._now()
        if not return_lease(conn, LEASE, holder, now=now, began_at=began_at):
            raise Conflict("another reconciliation has begun")
        counts = DailyCounts()
        for (dest, day), count in counted.items():
            counts.add("reported", dest, day, count)
        counts.write(conn)
        close_quiet_alerts(conn, MISSING, before=now - QUIET, now=now)
        if result.unreadable:
            _note_failure(conn, f"{result.unreadable} rows have no readable time", now)
        else:
            close_alert(conn, FAILED, REPORT, now=now)

    async def _find_hindrance(self, until: datetime) -> str | None:
        alive_since = self._now() - GONE_AFTER
        return await self._database.read(find_hindrance, until, alive_since=alive_since)

    async def _compare(
        self, window: Window, on_progress: Callable[[float], None]
    ) -> tuple[Reconciliation, Counted]:
        reported = missing = unreadable = 0
        counted: Counted = Counter()
        taken = Taken()
        start = window.since
        while start < window.until:
            end = min(start + SLICE, window.until)
            rows = [row async for row in self._read(start, end, is_last=end == window.until)]
            absent = await self._find_absent(rows, taken)
            dated = [place for place in absent if rows[place].received_at is not None]
            missing += await self._store(rows, dated)
            counted.update(
                (row.dest, _find_day(row.received_at))
                for row in rows
                if row.received_at is not None and row.received_at > window.count_from
            )
            unreadable += len(absent) - len(dated)
            reported += len(rows)
            start = end
            on_progress((start - window.since) / (window.until - window.since))
        found = Reconciliation(window.since, window.until, reported, missing, unreadable)
        return found, counted

    async def _read(
        self, since: datetime, until: datetime, *, is_last: bool
    ) -> AsyncIterator[ReportedText]:
        """The rows of [since, until), in the last slice including `until`."""
        async with self._client.open_report(REPORT, since=since, until=until) as table:
            async for row in read_inbound(table, self._zone):
                text = _read_row(row, self._region)
                at = text.received_at
                if at is None or since <= at < until or (is_last and at == until):
                    yield text

    async def _find_absent(self, rows: Sequence[ReportedText], taken: Taken) -> list[int]:
        """The indexes of rows that match no message, and none that was erased.

        Adds those that match to `taken`.
        """
        found: dict[int, int] = {}
        for first in range(0, len(rows), BATCH_ROWS):
            batch = rows[first : first + BATCH_ROWS]
            stored = await self._database.read(find_by_id, batch)
            matched = match_by_id(batch, stored, taken.messages)
            found |= {first + place: message_id for place, message_id in matched.items()}
            taken.messages.update(matched.values())
        by_pair: dict[tuple[str, str], dict[int, ReportedText]] = {}
        for place, row in enumerate(rows):
            if place not in found and row.received_at is not None:
                by_pair.setdefault(row.pair, {})[place] = row
        for pair, left in by_pair.items():
            times = [row.received_at for row in left.values() if row.received_at is not None]
            since, until = min(times) - SEARCHED, max(times) + SEARCHED
            near = await self._database.read(find_near, pair, since, until)
            matched = match_by_text(left, [text for text in near if text.id not in taken.messages])
            found |= matched
            taken.messages.update(matched.values())
        absent = {place: row for place, row in enumerate(rows) if place not in found}
        if not absent:
            return []
        erased, used = await self._database.read(find_erased_rows, absent, taken.tombstones)
        taken.tombstones.update(used)
        return [place for place in absent if place not in erased]

    async def _store(self, rows: Sequence[ReportedText], absent: Sequence[int]) -> int:
        now = self._now()
        missing = [make_message(rows[place], self._zone, self._region, now) for place in absent]
        stored = 0
        for batch in cut(missing, BATCH_ROWS):
            stored += await self._database.write(store_batch, batch, now)
        return stored


def _choose_window(conn: Connection, now: datetime) -> Window:
    first_at = find_first_taken(conn, LEASE) or now
    last = find_last_success(conn, LEASE)
    since = first_at if last is None else max(last - OVERLAP, first_at)
    count_from = first_at if last is None else last - UNTOUCHED
    return Window(since, max(since, now - UNTOUCHED), count_from)


def _read_row(row: InboundRow, region: str) -> ReportedText:
    return ReportedText(
        row.message_id,
        normalise_number(row.source, region),
        normalise_number(row.dest, region),
        row.body,
        row.received.at,
        row.received.ambiguous,
    )


def _note_failure(conn: Connection, reason: str, now: datetime) -> None:
    raise_alert(
        conn,
        FAILED,
        REPORT,
        text=f"The provider's {REPORT} report cannot be compared: {reason}",
        action="Run `letterbox report InboundMessages --from … --to …` and see what comes. Until"
        " it works, nobody notices a text that was never forwarded.",
        now=now,
    )


def _find_day(at: datetime) -> datetime:
    """The start of the day, as in the daily counts."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
