"""Checks the status of the texts that the provider took, with as few calls as possible."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from app.domain.batches import cut
from app.domain.outbound.statuses import read_status
from app.domain.provider_errors import (
    AccountError,
    AmbiguousError,
    CallBroken,
    CodeError,
    HtmlAnswer,
    MaintenanceError,
    PermanentError,
    ProviderError,
    StatusAnswer,
    TooManyCalls,
    TurnedAway,
    Unreachable,
)
from app.flows.operations.processes.metrics import Metrics
from app.provider.client import ProviderClient
from app.provider.codes import BACKGROUND_SEND_NOT_FINISHED, NO_MESSAGES
from app.provider.reports import MessageRow, read_messages
from app.provider.tables import read_batches
from app.storage.db.database import Connection, Database
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.outbound.sending.deliveries import (
    Asked,
    StatusReport,
    Unsettled,
    find_open,
    list_unsettled,
    record_recipients,
    record_statuses,
)

ROUND_TEXTS = 1000
# For more messages than this, the Messages report takes fewer calls than asking for each.
REPORT_FROM = 10
# Messages missing from the report are asked for one by one, this many per round, the longest
# waiting first.
MAX_SINGLES = 100
MAX_BACKGROUNDS = 20
# A busy hour's report is long: the next one waits this many times as long as it took.
REPORT_REST = 8
MAX_REST = timedelta(minutes=5)
# An unusable report is unlikely to be usable a moment later.
FAILED_REPORT_REST = timedelta(minutes=1)
CALLS_AT_ONCE = 4
# The provider's clock may differ from ours, and so may the date that its report goes by.
WINDOW_MARGIN = timedelta(hours=1)
# If no message of a background send is found, it may not have begun yet.
BEGINNING = timedelta(minutes=10)

WRITTEN_TEXTS = 50
WRITTEN_RECIPIENTS = 100

# After one of these the next call would fail too.
HOPELESS_REST = timedelta(seconds=30)
HOPELESS = (AccountError, HtmlAnswer, MaintenanceError, TooManyCalls, TurnedAway, Unreachable)

UNFOLLOWED = "statuses-cannot-be-followed"
REPORT = "Messages"

log = structlog.get_logger("letterbox.sync")


@dataclass
class _Round:
    """The results of one round: statuses by id, errors by text, and the texts asked about."""

    statuses: dict[str, str] = field(default_factory=dict)
    asked: dict[int, Asked] = field(default_factory=dict)
    is_hopeless: bool = False


@dataclass
class Checker:
    """One a process, run by one process at a time. `zone` is the provider's."""

    database: Database
    client: ProviderClient
    zone: ZoneInfo
    metrics: Metrics
    on_change: Callable[[], None]
    now: Callable[[], datetime]
    _after: datetime | None = None
    _report_after: datetime | None = None
    _report_works: bool | None = None

    async def check_due(self) -> int:
        """Check the texts that are due, up to one round; returns how many there were.

        Returns 0 if the rest must wait for the next round. Raises Unavailable. Statuses that the
        provider does not give now are checked again later; if a report is due too soon after a
        long one, all are left for later.
        """
        if self._after is not None and self.now() < self._after:
            return 0
        due = await self.database.read(list_unsettled, self.now(), limit=ROUND_TEXTS)
        told: set[str] = set()
        if len({each for text in due for each in text.open_ids}) > REPORT_FROM:
            is_early = self._report_after is not None and self.now() < self._report_after
            if is_early and self._report_works:
                return 0
            if not is_early:
                told = await self._read_report(min(text.since for text in due))
        known = [each for each in due if not each.background_ids and told >= {*each.open_ids}]
        found = _Round({}, {text.id: Asked(text.id) for text in known})
        await self._ask_singly(_choose_singles(due, told), told, found)
        await self._ask_backgrounds([text for text in due if text.background_ids], found)
        for texts in cut([text for text in due if text.id in found.asked], WRITTEN_TEXTS):
            reports = [
                StatusReport(text.id, each, found.statuses[each])
                for text in texts
                for each in text.open_ids
                if each in found.statuses
            ]
            asked = [found.asked[text.id] for text in texts]
            await self._write(reports, "check", asked=asked)
        if found.is_hopeless:
            self._after = self.now() + HOPELESS_REST
        return len(due) if len(found.asked) == len(due) else 0

    async def _read_report(self, since: datetime) -> set[str]:
        """Record everything new in the Messages report; returns the ids that it listed."""
        listed: set[str] = set()
        self.metrics.calls.labels("report").inc()
        began = self.now()
        since, until = since - WINDOW_MARGIN, began + WINDOW_MARGIN
        failure: ProviderError | None = None
        try:
            async with self.client.open_report(REPORT, since=since, until=until) as table:
                async for rows in read_batches(read_messages(table, self.zone)):
                    listed |= await self._note_rows(rows)
        except ProviderError as error:
            log.info("report_failed", error=str(error))
            failure = error
        ended = self.now()
        rest = min(REPORT_REST * (ended - began), MAX_REST)
        self._report_after = ended + (FAILED_REPORT_REST if failure else rest)
        if failure is not None or not self._report_works:
            await self.database.write(tell_of_report, failure, ended)
        self._report_works = failure is None
        return listed

    async def _note_rows(self, rows: Sequence[MessageRow]) -> set[str]:
        statuses = {row.message_id: row.status.word.strip() for row in rows}
        known = await self.database.read(find_open, list(statuses))
        news = [
            StatusReport(each.outbound_id, each.provider_id, statuses[each.provider_id])
            for each in sorted(known, key=lambda each: each.outbound_id)
            if statuses[each.provider_id] not in {"", each.status}
        ]
        for reports in cut(news, WRITTEN_TEXTS):
            await self._write(reports, "report")
        return {each.provider_id for each in known}

    async def _ask_singly(self, texts: Sequence[Unsettled], told: set[str], found: _Round) -> None:
        """Ask one by one for statuses that the report did not have, a few calls at a time."""
        wanted = [(text.id, each) for text in texts for each in text.open_ids if each not in told]
        for some in cut(wanted, CALLS_AT_ONCE):
            if found.is_hopeless:
                return
            answers = await asyncio.gather(*(self._ask_status(each) for _, each in some))
            for (owner, each), answer in zip(some, answers, strict=True):
                if isinstance(answer, ProviderError):
                    found.asked[owner] = Asked(owner, str(answer))
                    found.is_hopeless |= isinstance(answer, HOPELESS)
                else:
                    found.asked.setdefault(owner, Asked(owner))
                    found.statuses[each] = answer

    async def _ask_status(self, provider_id: str) -> str | ProviderError:
        self.metrics.calls.labels("status").inc()
        try:
            return (await self.client.check_message_status(provider_id)).word
        except ProviderError as error:
            log.info("check_failed", message=provider_id, error=str(error))
            return error

    async def _ask_backgrounds(self, texts: Sequence[Unsettled], found: _Round) -> None:
        for text in texts[:MAX_BACKGROUNDS]:
            if found.is_hopeless:
                return
            errors = []
            for background_id in text.background_ids:
                answer = await self._ask_background(text.id, background_id)
                if isinstance(answer, ProviderError):
                    errors.append(answer)
                    continue
                for reports in cut(answer, WRITTEN_RECIPIENTS):
                    await self.database.write(record_recipients, text.id, reports, self.now())
                    self.on_change()
            found.is_hopeless = any(isinstance(each, HOPELESS) for each in errors)
            found.asked[text.id] = self._judge_background(text, errors)

    async def _ask_background(
        self, outbound_id: int, background_id: str
    ) -> list[StatusReport] | ProviderError:
        self.metrics.calls.labels("background").inc()
        try:
            found = await self.client.get_background_messages(background_id)
        except ProviderError as error:
            log.info("background_later", background=background_id, error=str(error))
            return error
        return [
            StatusReport(outbound_id, each.message_id, each.status.word, each.destination)
            for each in found
        ]

    def _judge_background(self, text: Unsettled, errors: Sequence[ProviderError]) -> Asked:
        is_old = self.now() - text.since >= BEGINNING
        over = [error for error in errors if _ends_following(error, is_old=is_old)]
        real = [error for error in errors if not _is_unfinished(error)]
        return Asked(
            text.id,
            str(real[0]) if real else None,
            is_over=len(over) == len(text.background_ids),
        )

    async def _write(
        self, reports: Sequence[StatusReport], source: str, *, asked: Sequence[Asked] = ()
    ) -> None:
        unknown = sum(read_status(each.status).known is None for each in reports)
        self.metrics.unknown_words.inc(unknown)
        if await self.database.write(record_statuses, reports, source, self.now(), asked=asked):
            self.on_change()


def tell_of_report(conn: Connection, failure: ProviderError | None, now: datetime) -> None:
    """Keep an alert open for as long as the Messages report is unusable.

    Temporary failures have the alert for a provider that does not answer.
    """
    if failure is None:
        close_alert(conn, UNFOLLOWED, REPORT, now=now)
    elif not isinstance(failure, (*HOPELESS, CallBroken, StatusAnswer, AmbiguousError)):
        raise_alert(
            conn,
            UNFOLLOWED,
            REPORT,
            text=f"Statuses cannot be followed by the provider's {REPORT} report: {failure}",
            action="Ask the provider about the report, and see what `letterbox report Messages"
            " --from … --to …` gives. Until it works, texts are checked one by one, so their"
            " statuses come late, and uncertain texts wait for a person.",
            now=now,
        )


def _ends_following(error: ProviderError, *, is_old: bool) -> bool:
    """Whether this answer means that a background send will never have a status."""
    if not isinstance(error, PermanentError) or _is_unfinished(error):
        return False
    return is_old or error.code != NO_MESSAGES


def _is_unfinished(error: ProviderError) -> bool:
    return isinstance(error, CodeError) and error.code == BACKGROUND_SEND_NOT_FINISHED


def _choose_singles(due: Sequence[Unsettled], told: set[str]) -> list[Unsettled]:
    """The longest waiting texts: as many as fit into a round, and at least one."""
    chosen: list[Unsettled] = []
    count = 0
    for text in due:
        unknown = [each for each in text.open_ids if each not in told]
        if chosen and count + len(unknown) > MAX_SINGLES:
            break
        if unknown:
            chosen.append(text)
            count += len(unknown)
    return chosen
