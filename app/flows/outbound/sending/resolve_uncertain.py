"""Resolves uncertain texts by the provider's Messages report: adopts, sends again, or asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from app.domain.numbers import normalise_number
from app.domain.outbound.uncertain_resolution import (
    LEEWAY,
    Finding,
    ReportedMessage,
    Sightings,
    find_persons_turn,
)
from app.domain.provider_errors import ProviderError
from app.flows.operations.processes.metrics import Metrics
from app.flows.outbound.sending.sync import REPORT, tell_of_report
from app.provider.client import ProviderClient
from app.provider.reports import MessageRow, read_messages
from app.provider.tables import read_batches
from app.storage.db.database import Database
from app.storage.outbound.sending.resolving import (
    ask_person,
    hand_over_lists,
    postpone,
    resolve_uncertain,
)
from app.storage.outbound.sending.uncertain import (
    Evidence,
    find_known,
    list_evidence,
    list_uncertain,
)

# One reading of the report serves at most this many texts.
ROUND_TEXTS = 50
NEEDED = ("message_id", "destination", "source", "status")

log = structlog.get_logger("letterbox.resolve")


@dataclass
class UncertainResolver:
    """One a process, run by one process at a time; `proof_seconds` of 0 leaves it to people."""

    database: Database
    client: ProviderClient
    zone: ZoneInfo
    region: str
    proof_seconds: int
    metrics: Metrics
    on_change: Callable[[], None]
    now: Callable[[], datetime]

    async def resolve_due(self) -> int:
        """Look for proof of the texts that are due; returns how many are resolved now.

        Raises Unavailable. The report is read as a stream, in constant memory; one that breaks off
        proves nothing.
        """
        if await self.database.write(hand_over_lists, self.now(), limit=ROUND_TEXTS):
            self.on_change()
        texts = await self.database.read(list_uncertain, self.now(), limit=ROUND_TEXTS)
        if not texts:
            return 0
        evidence = await self.database.read(list_evidence, texts)
        sightings = [Sightings(text) for text in texts]
        try:
            latest = await self._read_report(sightings, evidence)
        except ProviderError as error:
            log.info("report_failed", error=str(error))
            await self.database.write(tell_of_report, error, self.now())
            await self.database.write(postpone, [text.id for text in texts], self.now())
            resolved = 0
        else:
            resolved = await self._resolve(sightings, latest)
        now = self.now()
        for text in texts:
            if now >= find_persons_turn(text, self.proof_seconds):
                await self.database.write(ask_person, text.id, now)
        return resolved

    async def _read_report(
        self, sightings: Sequence[Sightings], evidence: dict[str, Evidence]
    ) -> datetime | None:
        """When the newest of our texts began that the report lists as we expect it."""
        latest: datetime | None = None
        since = min(each.text.began_at for each in sightings) - LEEWAY
        self.metrics.calls.labels("report").inc()
        until = self.now() + LEEWAY
        async with self.client.open_report(REPORT, since=since, until=until) as table:
            rows = read_messages(table, self.zone, needed=NEEDED)
            async for batch in read_batches(rows):
                for row in batch:
                    began_at = _confirm(row, evidence, self.region)
                    latest = max(filter(None, (latest, began_at)), default=None)
                await self._compare(batch, sightings)
        return latest

    async def _compare(self, batch: Sequence[MessageRow], sightings: Sequence[Sightings]) -> None:
        wanted = {each.text.to for each in sightings}
        rows = [row for row in batch if normalise_number(row.destination, self.region) in wanted]
        if not rows:
            return
        known = await self.database.read(find_known, [row.message_id for row in rows])
        for row in rows:
            seen = ReportedMessage(
                row.message_id,
                normalise_number(row.destination, self.region),
                None if row.source is None else normalise_number(row.source, self.region),
                # A time in the hour that autumn repeats may be either of two.
                None if row.sent.ambiguous else row.sent.at or row.scheduled.at,
                row.message_id in known,
            )
            for each in sightings:
                each.add(seen)

    async def _resolve(self, sightings: Sequence[Sightings], latest: datetime | None) -> int:
        resolved = 0
        proof_seconds = self.proof_seconds
        for each in sightings:
            now = self.now()
            finding = each.judge(latest_listed=latest, now=now, proof_seconds=proof_seconds)
            ids = each.fitting if finding is Finding.ADOPT else []
            if await self.database.write(
                resolve_uncertain, each.text, finding, ids, now, proof_seconds=proof_seconds
            ):
                log.info("resolved", outbound=each.text.id, finding=finding.name.lower())
                resolved += 1
        if resolved:
            self.on_change()
        return resolved


def _confirm(row: MessageRow, evidence: dict[str, Evidence], region: str) -> datetime | None:
    """When a later text of ours began, if the row lists it as we expect."""
    found = evidence.get(row.message_id)
    if found is None or row.source is None:
        return None
    is_expected = (
        normalise_number(row.destination, region) == found.to
        and normalise_number(row.source, region) == found.source
    )
    return found.began_at if is_expected else None
