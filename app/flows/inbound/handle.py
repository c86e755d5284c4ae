"""Handles stored messages, a moment behind the acknowledgement: what people see, what answers."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.inbound.duplicates import Candidate, match_repeats
from app.domain.rules.answering import DEFAULT_LIMITS, ReplyLimits
from app.domain.rules.patterns import Search, Unprepared, find_all, search_pattern
from app.domain.rules.rules import list_patterns
from app.flows.rules.answer import RuleBook, answer_messages, raise_faults
from app.storage.db.database import Connection, Database
from app.storage.db.writes import Writes
from app.storage.inbound.handling import (
    Unhandled,
    claim_unhandled,
    flag_reused_ids,
    index_messages,
    list_waiting,
    upsert_conversations,
)
from app.storage.inbound.last_seen import note_arrivals
from app.storage.operations.daily_counts import DailyCounts
from app.storage.operations.events import add_events
from app.storage.rules.answers import (
    count_repeats_as_read,
    find_forwarded,
    find_reported,
    note_outcomes,
    note_repeats,
)
from app.storage.rules.pair_context import PairContext, read_background

BATCH_ROWS = 100
# A batch is prepared again if the rules have changed since.
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Handled:
    """How many messages were handled, and by outcome; `queued` texts wait to go out. False: none

    `oldest_at` is when the first of them arrived.
    """

    messages: int = 0
    queued: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    oldest_at: datetime | None = None

    def __bool__(self) -> bool:
        return self.messages > 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The messages in which patterns have been searched for; None means any message."""

    ids: Sequence[int] | None
    search: Search


# Searches for each pattern when a rule needs it: for few messages without time pressure.
UNHURRIED = Prepared(None, search_pattern)


async def handle_waiting(
    database: Database, now: datetime, *, limit: int, limits: ReplyLimits, book: RuleBook
) -> Handled:
    """Handle the oldest messages of the queue; patterns are searched for before the transaction.

    `book` is kept from one batch to the next. Returns False if the rules keep changing: the next
    turn tries again.
    """
    for _ in range(MOST_TRIES):
        prepared = await _prepare(database, book, limit)
        if prepared.ids is not None and not prepared.ids:
            break
        with suppress(Unprepared):  # the rules have changed
            return await database.write(
                handle_batch, now, limit=limit, limits=limits, book=book, prepared=prepared
            )
    return Handled()


async def _prepare(database: Database, book: RuleBook, limit: int) -> Prepared:
    patterns = list_patterns(book.rules)
    if not patterns:
        return Prepared(None, find_all((), ()))
    # Other workers may be handling the first of them.
    waiting = await database.read(list_waiting, limit=2 * limit)
    search = await asyncio.to_thread(find_all, patterns, waiting.values())
    return Prepared(list(waiting), search)


def handle_batch(
    conn: Connection,
    now: datetime,
    *,
    limit: int = BATCH_ROWS,
    limits: ReplyLimits = DEFAULT_LIMITS,
    book: RuleBook | None = None,
    prepared: Prepared = UNHURRIED,
) -> Handled:
    """Handle the oldest messages of the queue in this one transaction.

    The conversations' rows are locked before anything of a pair is read or counted, and the events
    come last, because they take the lock that orders them. Raises Unprepared if a rule needs a
    pattern that was not searched for.
    """
    batch = claim_unhandled(conn, limit=limit, only=prepared.ids)
    if not batch:
        return Handled()
    conversation_ids = upsert_conversations(conn, batch)
    identities = {message.identity_key for message in batch if message.provider_id}
    background = read_background(conn, conversation_ids.values(), now, identity_keys=identities)
    batch = flag_reused_ids(conn, batch, some_known=background.has_known_id)
    writes = Writes()
    index_messages(writes, batch, conversation_ids)
    repeats = set()
    if _may_repeat(batch, background):
        writes.run(conn)
        repeats = _find_repeats(conn, batch, conversation_ids, now)
    fresh = [message for message in batch if message.id not in repeats]
    _count(writes, fresh, background)
    answers = answer_messages(
        conn,
        fresh,
        conversation_ids,
        background,
        now,
        book=book or RuleBook(),
        limits=limits,
        search=prepared.search,
    )
    for message_id in sorted(repeats):
        answers.note_outcome(message_id, None, None)
    note_outcomes(writes, answers.outcomes, now)
    writes.run(conn)
    changes = [("message", message.id) for message in batch]
    add_events(conn, changes + answers.list_changes(), now)
    raise_faults(conn, answers, now)
    outcomes = _count_outcomes(answers.outcomes)
    return Handled(len(batch), len(answers.queued), outcomes, batch[0].arrived_at)


def _count(writes: Writes, batch: Sequence[Unhandled], background: PairContext) -> None:
    counts = DailyCounts()
    for message in batch:
        counts.add("received", message.dest, message.arrived_at)
        if message.problems:
            counts.add("with_problems", message.dest, message.arrived_at)
        if message.via == "report":
            counts.add("fetched", message.dest, message.arrived_at)
    counts.move_to(writes)
    last_arrivals = {pair.dest: pair.last_arrived_at for pair in background.pairs.values()}
    note_arrivals(writes, [(each.dest, each.arrived_at) for each in batch], last_arrivals)


def _may_repeat(batch: Sequence[Unhandled], background: PairContext) -> bool:
    """Only what the provider's report brings, or has brought, can have come by the other way."""
    was_reported = any(pair.was_reported for pair in background.pairs.values())
    return was_reported or any(message.via == "report" for message in batch)


def _find_repeats(
    conn: Connection,
    batch: Sequence[Unhandled],
    conversation_ids: Mapping[bytes, int],
    now: datetime,
) -> set[int]:
    """The messages of the batch that only repeat one which came by the other way, and are noted so.

    Such a one gets no answer and does not count again. Mostly it is a late forward; but of two
    workers the one with the forward may have been first, and then it is the report's.
    """
    sightings = [
        (message.via, _see(message, pair))
        for message in batch
        for pair in (conversation_ids[message.pair_key],)
    ]
    forwards = [seen for via, seen in sightings if via != "report"]
    reports = [seen for via, seen in sightings if via == "report"]
    late: dict[int, int] = {}
    if reports:
        pairs = {seen.pair for seen in reports}
        handled = find_forwarded(conn, pairs, min(seen.id for seen in reports))
        late = match_repeats(reports, handled)
        _note(conn, late, {seen.id: seen.pair for seen in handled}, now)
    repeats: dict[int, int] = {}
    if forwards:
        since = min(seen.received_at for seen in forwards)
        reported = find_reported(conn, {seen.pair for seen in forwards}, since)
        repeats = match_repeats(reported, forwards)
        _note(conn, repeats, {seen.id: seen.pair for seen in forwards}, now)
    return {*repeats, *late.values()}


def _see(message: Unhandled, pair: int) -> Candidate:
    return Candidate(message.id, pair, message.body, message.received_at, message.provider_id)


def _note(
    conn: Connection, repeats: Mapping[int, int], pairs: Mapping[int, int], now: datetime
) -> None:
    note_repeats(conn, repeats)
    count_repeats_as_read(conn, {forward_id: pairs[forward_id] for forward_id in repeats}, now)


def _count_outcomes(
    outcomes: Mapping[tuple[str | None, int | None], Sequence[int]],
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (outcome, _), ids in outcomes.items():
        counts[outcome or "none"] = counts.get(outcome or "none", 0) + len(ids)
    return counts
