"""Handles stored messages shortly after their acknowledgement: indexes, counts, replies."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.inbound.duplicates import match_duplicates
from app.domain.inbound.messages import StoredMessage
from app.domain.rules.answering import DEFAULT_LIMITS, Outcome, ReplyLimits
from app.domain.rules.patterns import Search, Unprepared, find_all, search_pattern
from app.domain.rules.rules import list_patterns
from app.flows.rules.answer import RuleBook, answer_messages, raise_faults
from app.storage.conversations.people import MergeName, note_merge_names
from app.storage.db.database import Connection, Database
from app.storage.db.writes import Writes
from app.storage.inbound.duplicates import find_forwarded, find_reported, note_duplicates
from app.storage.inbound.handling import (
    claim_unhandled,
    end_waiting,
    flag_reused_ids,
    index_messages,
    list_waiting,
    note_outcomes,
    upsert_conversations,
)
from app.storage.inbound.last_seen import note_arrivals
from app.storage.operations.daily_counts import DailyCounts
from app.storage.operations.events import add_events
from app.storage.rules.pair_context import PairContext, read_pair_context

BATCH_ROWS = 100
# A batch is prepared again if the rules have changed since.
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Handled:
    """How many messages were handled, and by outcome; false if none.

    `queued` replies wait to be sent. `seconds` is how long its thread computed meanwhile, `began`
    when it had the transaction, by the monotonic clock.
    """

    messages: int = 0
    queued: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    began: float = 0.0

    def __bool__(self) -> bool:
        return self.messages > 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The messages in which patterns have been searched for; None means any message."""

    ids: Sequence[int] | None
    search: Search


# Searches for a pattern when a rule needs it: only for a few messages.
UNPREPARED = Prepared(None, search_pattern)


async def handle_waiting(
    database: Database, now: datetime, *, limit: int, limits: ReplyLimits, book: RuleBook
) -> Handled:
    """Handle the oldest messages of the queue; patterns are searched for before the transaction.

    `book` is kept from one batch to the next. Handles none if the rules keep changing.
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
    prepared: Prepared = UNPREPARED,
) -> Handled:
    """Handle the oldest messages of the queue in this transaction.

    The conversations are locked before anything of a pair is read or counted. The events come last,
    because they take the lock that orders them. Raises Unprepared if a rule needs a pattern that
    was not searched for.
    """
    began, computed = time.monotonic(), time.thread_time()
    batch = claim_unhandled(conn, limit=limit, only=prepared.ids)
    if not batch:
        return Handled()
    conversation_ids = upsert_conversations(conn, batch)
    identities = {message.identity_key for message in batch if message.identity_key}
    context = read_pair_context(conn, conversation_ids.values(), now, identity_keys=identities)
    batch = flag_reused_ids(conn, batch, some_known=context.has_known_id)
    writes = Writes()
    index_messages(writes, batch, conversation_ids)
    note_names(writes, batch, context)
    duplicates: set[int] = set()
    if _may_have_duplicates(batch, context):
        writes.run(conn)
        duplicates = _find_duplicates(conn, batch, conversation_ids, now)
    fresh = [message for message in batch if message.id not in duplicates]
    _count(writes, fresh, context)
    answers = answer_messages(
        conn,
        fresh,
        conversation_ids,
        context,
        now,
        book=book or RuleBook(),
        limits=limits,
        search=prepared.search,
    )
    for message_id in sorted(duplicates):
        answers.note_outcome(message_id, None, None)
    note_outcomes(writes, answers.outcomes, now)
    writes.run(conn)
    stops = set(answers.outcomes.get((Outcome.OPT_OUT, None), ()))
    if stops:
        asked = {conversation_ids[each.pair_key] for each in batch if each.id in stops}
        end_waiting(conn, asked, stops)
    changes = [("message", message.id) for message in batch]
    add_events(conn, changes + answers.list_changes(), now)
    raise_faults(conn, answers, now)
    outcomes = _count_outcomes(answers.outcomes)
    seconds = time.thread_time() - computed
    return Handled(len(batch), len(answers.queued), outcomes, seconds, began)


def note_names(writes: Writes, batch: Sequence[StoredMessage], context: PairContext) -> None:
    """Keep the names that texts bring, where they are not known."""
    known = {pair.source: pair.merge_name for pair in context.pairs.values()}
    note_merge_names(
        writes,
        [
            MergeName(each.source, each.name, each.arrived_at)
            for each in batch
            if each.name != known[each.source]
        ],
    )


def _count(writes: Writes, batch: Sequence[StoredMessage], context: PairContext) -> None:
    counts = DailyCounts()
    for message in batch:
        counts.add("received", message.dest, message.arrived_at)
        if message.problems:
            counts.add("with_problems", message.dest, message.arrived_at)
        if message.via == "report":
            counts.add("fetched", message.dest, message.arrived_at)
    counts.move_to(writes)
    last_arrivals = {pair.dest: pair.last_arrived_at for pair in context.pairs.values()}
    note_arrivals(writes, [(each.dest, each.arrived_at) for each in batch], last_arrivals)


def _may_have_duplicates(batch: Sequence[StoredMessage], context: PairContext) -> bool:
    """Only a text that the provider's report brings, or has brought, can come twice."""
    was_reported = any(pair.was_reported for pair in context.pairs.values())
    return was_reported or any(message.via == "report" for message in batch)


def _find_duplicates(
    conn: Connection,
    batch: Sequence[StoredMessage],
    conversation_ids: Mapping[bytes, int],
    now: datetime,
) -> set[int]:
    """Find the messages of the batch that repeat another one, and mark them as such.

    They get no answer and are not counted again. Usually it is a late forward; but if another
    worker has handled the forward first, it is the report's text.
    """
    forwards = [message for message in batch if message.via != "report"]
    reports = [message for message in batch if message.via == "report"]

    def list_conversations(texts: Sequence[StoredMessage]) -> set[int]:
        return {conversation_ids[text.pair_key] for text in texts}

    late: dict[int, int] = {}
    if reports:
        first = min(report.id for report in reports)
        handled = find_forwarded(conn, list_conversations(reports), first)
        late = match_duplicates(reports, handled)
        note_duplicates(conn, late, now)
    duplicates: dict[int, int] = {}
    if forwards:
        since = min(forward.received_at for forward in forwards)
        reported = find_reported(conn, list_conversations(forwards), since)
        duplicates = match_duplicates(reported, forwards)
        note_duplicates(conn, duplicates, now)
    return {*duplicates, *late.values()}


def _count_outcomes(
    outcomes: Mapping[tuple[str | None, int | None], Sequence[int]],
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (outcome, _), ids in outcomes.items():
        counts[outcome or "none"] = counts.get(outcome or "none", 0) + len(ids)
    return counts
