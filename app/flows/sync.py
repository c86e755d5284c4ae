"""Asks what became of the texts that the provider took, with as few calls as will do."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from app.domain.batches import cut
from app.domain.errors import ProviderError
from app.domain.statuses import read_status
from app.flows.metrics import Metrics
from app.provider.client import ProviderClient
from app.provider.reports import MessageRow, read_messages
from app.storage.database import Database
from app.storage.deliveries import (
    Unsettled,
    Word,
    find_open,
    list_unsettled,
    record_recipients,
    record_words,
)

# So many texts are looked at in one round.
ROUND_TEXTS = 1000
# From so many messages on the Messages report costs fewer calls than asking for each.
REPORT_FROM = 10
# Messages that the report does not list are asked for singly, so many a round.
MAX_SINGLES = 10
# At a high pace an hour's report is long: the next one waits so many times as long as it took.
REPORT_REST = 8
MAX_REST = timedelta(minutes=5)
CALLS_AT_ONCE = 4
# The provider's clock and ours may differ, and so may the date that its report goes by.
LEEWAY = timedelta(hours=1)

REPORT_ROWS = 200
WRITTEN_TEXTS = 50
WRITTEN_RECIPIENTS = 100

log = structlog.get_logger("letterbox.sync")


@dataclass
class Checker:
    """One a process, run by one process at a time. `zone` is the provider's."""

    database: Database
    client: ProviderClient
    zone: ZoneInfo
    metrics: Metrics
    on_change: Callable[[], None]
    now: Callable[[], datetime]
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    _report_after: datetime | None = None

    async def check_due(self) -> int:
        """Ask about every text whose time it is, up to a round's; returns how many there were.

        Raises Unavailable. What the provider does not tell now it is asked for again later; where a
        report is due too soon after a long one, all are left for later.
        """
        due = await self.database.read(list_unsettled, self.now(), limit=ROUND_TEXTS)
        if not due:
            return 0
        owners = {each: text.id for text in due for each in text.open_ids}
        told: set[str] = set()
        if len(owners) > REPORT_FROM:
            if self._report_after is not None and self.now() < self._report_after:
                return 0
            told = await self._read_report(min(text.since for text in due))
        unknown = [each for each in owners if each not in told]
        singles = unknown if len(owners) <= REPORT_FROM else unknown[:MAX_SINGLES]
        words = await self._ask_singly(singles)
        await self._ask_backgrounds([text for text in due if text.background_ids])
        for texts in cut([text.id for text in due], WRITTEN_TEXTS):
            mine = _group(words, owners, texts)
            await self._write(mine, "check", asked=texts)
        return len(due)

    async def _read_report(self, since: datetime) -> set[str]:
        """Note every news that the Messages report has; returns the ids that it listed."""
        listed: set[str] = set()
        self.metrics.calls.labels("report").inc()
        began = self.now()
        until = began + LEEWAY
        try:
            async with self.client.open_report(
                "Messages", since=since - LEEWAY, until=until
            ) as table:
                async for rows in read_batches(read_messages(table, self.zone)):
                    listed |= await self._note_rows(rows)
        except ProviderError as error:
            log.info("report_failed", error=str(error))
        ended = self.now()
        self._report_after = ended + min(REPORT_REST * (ended - began), MAX_REST)
        return listed

    async def _note_rows(self, rows: Sequence[MessageRow]) -> set[str]:
        by_id = {row.message_id: row.status.word.strip() for row in rows}
        known = await self.database.read(find_open, list(by_id))
        owners = {each: owner for each, (owner, _) in known.items()}
        news = {
            each: word
            for each, word in by_id.items()
            if word and each in known and known[each][1] != word
        }
        for texts in cut(sorted({owners[each] for each in news}), WRITTEN_TEXTS):
            await self._write(_group(news, owners, texts), "report")
        return set(known)

    async def _ask_singly(self, ids: Sequence[str]) -> dict[str, str]:
        answers = await asyncio.gather(*(self._ask_status(each) for each in ids))
        return {each: word for each, word in zip(ids, answers, strict=True) if word is not None}

    async def _ask_status(self, provider_id: str) -> str | None:
        async with self._slots:
            self.metrics.calls.labels("status").inc()
            try:
                word = (await self.client.check_message_status(provider_id)).word
            except ProviderError as error:
                log.info("check_failed", message=provider_id, error=str(error))
                return None
        return word

    async def _ask_backgrounds(self, texts: Sequence[Unsettled]) -> None:
        for text in texts:
            for background_id in text.background_ids:
                for words in cut(await self._ask_background(background_id), WRITTEN_RECIPIENTS):
                    await self.database.write(record_recipients, text.id, words, self.now())
                    self.on_change()

    async def _ask_background(self, background_id: str) -> list[Word]:
        self.metrics.calls.labels("background").inc()
        try:
            found = await self.client.get_background_messages(background_id)
        except ProviderError as error:
            log.info("background_later", background=background_id, error=str(error))
            return []
        return [Word(each.message_id, each.status.word, each.destination) for each in found]

    async def _write(
        self,
        words: Mapping[int, Sequence[Word]],
        told_by: str,
        *,
        asked: Sequence[int] = (),
    ) -> None:
        said = (word.status for each in words.values() for word in each)
        self.metrics.unknown_words.inc(sum(read_status(word).known is None for word in said))
        if await self.database.write(record_words, words, told_by, self.now(), asked=asked):
            self.on_change()


def _group(
    words: Mapping[str, str], owners: Mapping[str, int], texts: Sequence[int]
) -> dict[int, list[Word]]:
    wanted = set(texts)
    grouped: dict[int, list[Word]] = {}
    for provider_id, word in words.items():
        if owners[provider_id] in wanted:
            grouped.setdefault(owners[provider_id], []).append(Word(provider_id, word))
    return grouped


async def read_batches(rows: AsyncIterator[MessageRow]) -> AsyncIterator[list[MessageRow]]:
    """A report's rows, as many at once as one question to the database takes."""
    batch: list[MessageRow] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == REPORT_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
