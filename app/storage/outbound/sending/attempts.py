"""Records what came of calls, as long as the attempt is that of whoever made the call."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    literal_column,
    select,
    update,
)

from app.domain.outbound.checks import plan_first_check
from app.domain.outbound.send_outcomes import CallResult, SendOutcome
from app.domain.outbound.states import IN_FLIGHT, OutboundStatus
from app.domain.outbound.transitions import OutboundEvent, move_on
from app.storage.db.given_values import is_among, pad_values
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert, make_bulk_update
from app.storage.operations.daily_counts import DailyCounts
from app.storage.outbound.history import StatusChange, describe_status
from app.storage.outbound.outbox import lock_texts
from app.storage.outbound.sending.expiry import note_unanswered
from app.storage.outbound.sending.result_events import Recorded, SendResult, steer_sender
from app.storage.outbound.sending.sender import lock_sender
from app.storage.rules.opt_outs import cancel_texts, note_refused_numbers
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import outbound, provider_messages, send_attempts

# What the provider says of an error is a line; what it says of a list may be longer.
MAX_ANSWER = 1000
# What a result may change of a text.
_CHANGED = (
    "status",
    "held_reason",
    "error_code",
    "error_text",
    "lease_until",
    "due_at",
    "check_at",
    "absent_since",
    "sent_at",
    "settled_at",
    "settled_reason",
)

# Part of the statement that adds an id: a separate one would cost a round trip per text.
_OTHER_OWNER: ColumnElement[int | None] = literal_column(
    "(SELECT others.outbound_id FROM provider_messages AS others"
    " WHERE others.provider_id = provider_messages.provider_id"
    " AND others.outbound_id <> provider_messages.outbound_id LIMIT 1)"
)

# A text as it was found, what its call came to, and the status that follows.
_Move = tuple[Row[Any], CallResult, OutboundStatus]


class _NewId(NamedTuple):
    """An id that a text received; `other` is a text that already had it."""

    provider_id: str
    outbound_id: int
    other: int | None


def record_results(conn: Connection, results: Sequence[SendResult], now: datetime) -> Recorded:
    """Record what calls came to; `publish_results` must follow at the transaction's end.

    A text that has been called for again since, or whose status somebody changed, stays as it is;
    its ids are kept. A result that was recorded before, by a commit whose answer was lost, changes
    nothing.
    """
    recorded = Recorded()
    if any(each.concerns_account for each in results):
        lock_sender(conn)  # first, as every claim does
    counts, writes = DailyCounts(), Writes()
    left = sorted(results, key=lambda each: (each.text.id, each.text.attempt))
    while left:
        # Two results of one text, of an old attempt and a new one, are not recorded at once.
        group: dict[int, SendResult] = {}
        later = [each for each in left if group.setdefault(each.text.id, each) is not each]
        _record(conn, writes, list(group.values()), recorded, counts, now)
        writes.run(conn)
        left = later
    _refuse_numbers(conn, recorded, now)
    counts.write(conn)
    steer_sender(conn, recorded.results, now)
    return recorded


def _refuse_numbers(conn: Connection, recorded: Recorded, now: datetime) -> None:
    """Add numbers that the provider refuses to the opt-outs, and cancel what waits for them."""
    refused = {
        result.text.to: result.call.answer or ""
        for result in recorded.results
        if result.step.opts_out and result.text.to is not None
    }
    recorded.opted += note_refused_numbers(conn, refused, now)
    for number in refused:
        recorded.cancelled += cancel_texts(conn, number, now)


def _record(
    conn: Connection,
    writes: Writes,
    results: Sequence[SendResult],
    recorded: Recorded,
    counts: DailyCounts,
    now: datetime,
) -> None:
    """Results of different texts: each statement is for all of them."""
    rows = {row.id: row for row in lock_texts(conn, [result.text.id for result in results])}
    results = _end_attempts(conn, writes, results, now)
    new_ids: dict[int, list[_NewId]] = {}
    for each in _add_new_ids(conn, results, now):
        new_ids.setdefault(each.outbound_id, []).append(each)
    moved: list[_Move] = []
    for result in results:
        row = rows[result.text.id]
        own_ids = new_ids.get(row.id, [])
        status = OutboundStatus(row.status)
        is_own = row.attempts == result.text.attempt
        target = move_on(status, result.step.event) if is_own else None
        if target is not None:
            kept = {name: getattr(row, name) for name in ("id", *_CHANGED)}
            writes.add(_update_texts(), [kept | _make_values(row, result, target, now)])
            moved.append((row, result.call, target))
        elif own_ids:
            _follow_late_ids(conn, row, now)
        is_awaited = target is not None and status in IN_FLIGHT
        # The very ids may have come with a report before: then they are no news.
        is_news = bool(own_ids) or not result.call.provider_ids
        if result.call.outcome is SendOutcome.TAKEN and not is_awaited and is_news:
            recorded.late.append((row, result))
        recorded.shared_ids += [
            (each.provider_id, each.other, row.id) for each in own_ids if each.other is not None
        ]
    recorded.results += results
    _note_moves(conn, moved, recorded, counts, now)


def _note_moves(
    conn: Connection,
    moved: Sequence[_Move],
    recorded: Recorded,
    counts: DailyCounts,
    now: datetime,
) -> None:
    for row, _, target in moved:
        recorded.changes.append(StatusChange(row.id, target, "send", now))
        if row.status == OutboundStatus.UNCERTAIN:
            recorded.resolved.append(row.id)
        if target is OutboundStatus.FAILED:
            counts.add("failed", row.source, now)
    expired = [row.id for row, _, target in moved if target is OutboundStatus.EXPIRED]
    if expired:
        note_unanswered(conn, expired)
    sent = [(row, call) for row, call, target in moved if target is OutboundStatus.SENT]
    _count_sent(conn, [row for row, _ in sent], counts, now)
    for row, call in sent:
        if call.background_ids:
            ids = list(call.background_ids)
            change = update(outbound).where(outbound.c.id == row.id)
            conn.execute(change.values(background_ids=ids))


def _end_attempts(
    conn: Connection, writes: Writes, results: Sequence[SendResult], now: datetime
) -> list[SendResult]:
    """Returns the results that were not recorded before; an unknown one may be told late."""
    ids = pad_values([result.text.id for result in results])
    attempts = conn.execute(_select_attempts(conn.dialect.name), {"ids": ids})
    outcomes = {(row.outbound_id, row.attempt): row.outcome for row in attempts}
    open_ones = [
        result
        for result in results
        if outcomes.get((result.text.id, result.text.attempt)) in {None, SendOutcome.UNKNOWN}
    ]
    writes.add(_update_attempts(), [_describe_end(each, now) for each in open_ones])
    return open_ones


# Cached: building a statement takes longer than running it.


@cache
def _select_attempts(dialect: str) -> Select[Any]:
    table = send_attempts.c
    query = select(table.outbound_id, table.attempt, table.outcome)
    return query.where(is_among(dialect, table.outbound_id, "ids"))


@cache
def _select_arrivals(dialect: str) -> Select[Any]:
    query = select(messages.c.id, messages.c.arrived_at)
    return query.where(is_among(dialect, messages.c.id, "ids"))


@cache
def _insert_ids() -> BulkWrite:
    def keep_known(statement: Any) -> Any:
        table = provider_messages.c
        added = statement.on_conflict_do_nothing()
        return added.returning(table.provider_id, table.outbound_id, _OTHER_OWNER)

    columns = ("provider_id", "outbound_id", "destination", "is_final", "updated_at")
    return make_bulk_insert(provider_messages, columns, keep_known)


@cache
def _update_attempts() -> BulkWrite:
    columns = ("ended_at", "outcome", "error_class", "code", "answer")
    return make_bulk_update(send_attempts, ["outbound_id", "attempt"], columns)


@cache
def _update_texts() -> BulkWrite:
    return make_bulk_update(outbound, ["id"], _CHANGED)


def _describe_end(result: SendResult, now: datetime) -> dict[str, Any]:
    call = result.call
    return {
        "outbound_id": result.text.id,
        "attempt": result.text.attempt,
        "ended_at": now,
        "outcome": call.outcome,
        "error_class": call.error_class,
        "code": call.code,
        "answer": (call.answer or ", ".join(call.provider_ids))[:MAX_ANSWER],
    }


def _make_values(
    row: Row[Any], result: SendResult, target: OutboundStatus, now: datetime
) -> dict[str, Any]:
    step, call = result.step, result.call
    is_overdue = step.event is OutboundEvent.OVERDUE
    values = describe_status(
        target,
        now,
        check_from=result.text.schedule_at,
        reason="its validity ended before the provider could be reached" if is_overdue else None,
    ) | {
        "held_reason": step.held_reason,
        "error_code": call.code,
        "error_text": call.answer if call.code or call.outcome is not SendOutcome.TAKEN else None,
        "due_at": step.at or row.due_at,
    }
    cannot_be_followed = row.to_number is None and not call.background_ids
    if target is OutboundStatus.SENT and cannot_be_followed:
        reason = "the provider gave no id to follow it by"
        values |= {"check_at": None, "settled_at": now, "settled_reason": reason}
    return values


def add_ids(conn: Connection, parts: Sequence[tuple[int, str, str]], now: datetime) -> list[_NewId]:
    """Add the provider's ids, given as (text, number, id); returns those that a text had not."""
    rows = [
        {
            "provider_id": provider_id,
            "outbound_id": outbound_id,
            "destination": destination,
            "is_final": False,
            "updated_at": now,
        }
        for outbound_id, destination, provider_id in parts
    ]
    return [_NewId(*row) for row in _insert_ids().run(conn, rows)] if rows else []


def _add_new_ids(conn: Connection, results: Sequence[SendResult], now: datetime) -> list[_NewId]:
    parts = [
        (result.text.id, result.text.to or "", each)
        for result in results
        for each in dict.fromkeys(result.call.provider_ids)
    ]
    return add_ids(conn, parts, now)


def _follow_late_ids(conn: Connection, row: Row[Any], now: datetime) -> None:
    """A text that a person resolved, or that was adopted, now has an id: check its status."""
    if row.status == OutboundStatus.SENT:
        conn.execute(
            update(outbound)
            .where(outbound.c.id == row.id)
            .values(check_at=plan_first_check(now), settled_at=None, settled_reason=None)
        )


def _count_sent(
    conn: Connection, sent: Sequence[Row[Any]], counts: DailyCounts, now: datetime
) -> None:
    """Count texts, and how long whoever wrote to us has waited for them."""
    for row in sent:
        counts.add("sent", row.source, now)
    replies = {row.in_reply_to: row.source for row in sent if row.in_reply_to is not None}
    if not replies:
        return
    query = _select_arrivals(conn.dialect.name)
    for message in conn.execute(query, {"ids": pad_values(replies)}):
        seconds = max(0, round((now - message.arrived_at).total_seconds()))
        counts.add("replied", replies[message.id], now)
        counts.add("reply_seconds", replies[message.id], now, seconds)
