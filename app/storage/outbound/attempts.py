"""What came of a call: recorded by whoever made it, as long as the attempt is its own."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    bindparam,
    literal_column,
    select,
    update,
)

from app.domain.outbound.checks import SOONEST, plan_first_check
from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.states import FINAL_STATUSES, IN_FLIGHT, OutboundStatus
from app.domain.outbound.transitions import OutboundEvent, move_on
from app.storage.db.clock import read_clock
from app.storage.db.upserts import make_insert
from app.storage.db.writes import BulkWrite, Writes, make_bulk_update
from app.storage.operations.daily_counts import DailyCounts
from app.storage.outbound.expiry import note_unanswered
from app.storage.outbound.history import StatusChange
from app.storage.outbound.outbox import lock_texts
from app.storage.outbound.result_events import steer_sender
from app.storage.outbound.results import Record, SendResult
from app.storage.outbound.sender import lock_sender
from app.storage.rules.opt_outs import cancel_texts, note_refused_numbers
from app.storage.tables.inbound import messages
from app.storage.tables.outbound import outbound, provider_messages, send_attempts

# What a provider says of an error is a line; what it says of a list may be longer.
MAX_ANSWER = 1000


# Part of the statement that adds an id: a separate one would cost a round trip per text.
_OTHER_OWNER: ColumnElement[int | None] = literal_column(
    "(SELECT others.outbound_id FROM provider_messages AS others"
    " WHERE others.provider_id = provider_messages.provider_id"
    " AND others.outbound_id <> provider_messages.outbound_id LIMIT 1)"
)


class _NewId(NamedTuple):
    """An id that a text received; `other` is a text that already had it."""

    provider_id: str
    outbound_id: int
    other: int | None


def record_results(
    conn: Connection, results: Sequence[SendResult], now: datetime | None = None
) -> list[Record]:
    """Write down what calls came to; `publish_results` is to follow at the transaction's end.

    A text whose attempt is not this one's any more, or that somebody settled meanwhile, stays as it
    is; its ids are kept. A result that is recorded already, by a commit whose answer was lost,
    changes nothing.
    """
    if not results:
        return []
    now = now or read_clock(conn)
    results = sorted(results, key=lambda each: (each.text.id, each.text.attempt))
    if any(each.concerns_account for each in results):
        lock_sender(conn)  # first, as every claim does
    counts, writes = DailyCounts(), Writes()
    records = []
    while results:
        # Two results of one text, of an old try and a new one, are not recorded at once.
        group: dict[int, SendResult] = {}
        later = [each for each in results if group.setdefault(each.text.id, each) is not each]
        records += _record(conn, writes, list(group.values()), now, counts)
        results = later
    records = _refuse_numbers(conn, records, now)
    counts.move_to(writes)
    writes.run(conn)
    steer_sender(conn, [record.result for record in records], now)
    return records


def _refuse_numbers(conn: Connection, records: Sequence[Record], now: datetime) -> list[Record]:
    """Put numbers that the provider refuses on the list, and cancel what else waits for them."""
    refused = {
        number: record.result.answer or ""
        for record in records
        if record.result.step.opts_out and (number := record.result.text.to) is not None
    }
    note_refused_numbers(conn, refused, now)
    cancelled = {number: cancel_texts(conn, number, now) for number in refused}
    return [
        replace(record, cancelled=tuple(cancelled.pop(record.result.text.to or "", ())))
        for record in records
    ]


def _record(
    conn: Connection,
    writes: Writes,
    results: Sequence[SendResult],
    now: datetime,
    counts: DailyCounts,
) -> list[Record]:
    """Results of different texts: each statement is for all of them."""
    ids = [result.text.id for result in results]
    rows = {row.id: row for row in lock_texts(conn, ids)}
    results = _end_attempts(conn, writes, results, now)
    new_ids: dict[int, list[_NewId]] = {}
    for each in _keep_new_ids(conn, results, now):
        new_ids.setdefault(each.outbound_id, []).append(each)
    records, changed, late = [], [], []
    for result in results:
        row = rows[result.text.id]
        status = OutboundStatus(row.status)
        own_ids = new_ids.get(row.id, [])
        is_own = row.attempts == result.text.attempt
        target = move_on(status, result.step.event) if is_own else None
        if target is None and own_ids:
            late.append(row)
        elif target is not None:
            changed.append(_make_values(row, result, target, now))
            _count(counts, row, target, now)
        is_awaited = target is not None and status in IN_FLIGHT
        is_late = (
            result.outcome is SendOutcome.TAKEN and not is_awaited and _is_news(result, own_ids)
        )
        change = None
        if target not in {None, status}:
            change = StatusChange(row.id, str(target), "send", now)
        shared = {each.provider_id: each.other for each in own_ids if each.other is not None}
        records.append(Record(row, result, change, is_late, shared_ids=shared))
    _write_texts(conn, changed)
    expired = [each["text_id"] for each in changed if each["status"] is OutboundStatus.EXPIRED]
    if expired:
        note_unanswered(conn, expired)
    for row in late:
        _follow_late_ids(conn, row, now)
    _count_replies(conn, [record.row for record in records if _is_sent(record)], now, counts)
    return records


def _end_attempts(
    conn: Connection, writes: Writes, results: Sequence[SendResult], now: datetime
) -> list[SendResult]:
    """Returns the results that were not recorded before; one that nobody knew may be told late."""
    ids = [result.text.id for result in results]
    tries = conn.execute(_select_tries(), {"ids": ids})
    outcomes = {(row.outbound_id, row.attempt): row.outcome for row in tries}
    open_ones = [
        result
        for result in results
        if outcomes.get((result.text.id, result.text.attempt)) in {None, SendOutcome.UNKNOWN}
    ]
    writes.add(_update_tries(), [_describe_end(each, now) for each in open_ones])
    return open_ones


# To write a statement anew takes longer than to run it.


@cache
def _select_tries() -> Select[Any]:
    table = send_attempts.c
    query = select(table.outbound_id, table.attempt, table.outcome)
    return query.where(table.outbound_id.in_(bindparam("ids", expanding=True)))


@cache
def _update_tries() -> BulkWrite:
    columns = ("ended_at", "outcome", "error_class", "code", "answer")
    return make_bulk_update(send_attempts, ["outbound_id", "attempt"], columns)


@cache
def _update_text() -> Update:
    return update(outbound).where(outbound.c.id == bindparam("text_id"))


def _describe_end(result: SendResult, now: datetime) -> dict[str, Any]:
    return {
        "outbound_id": result.text.id,
        "attempt": result.text.attempt,
        "ended_at": now,
        "outcome": result.outcome,
        "error_class": result.error_class,
        "code": result.code,
        "answer": (result.answer or ", ".join(result.provider_ids))[:MAX_ANSWER],
    }


def _is_news(result: SendResult, own_ids: Sequence[_NewId]) -> bool:
    """Not where a report had brought the very ids before."""
    return bool(own_ids) or not result.provider_ids


def _is_sent(record: Record) -> bool:
    return record.change is not None and record.change.status == OutboundStatus.SENT


def _write_texts(conn: Connection, changed: Sequence[dict[str, Any]]) -> None:
    """Those that set the same columns go together."""
    groups: dict[frozenset[str], list[dict[str, Any]]] = {}
    for values in changed:
        groups.setdefault(frozenset(values), []).append(values)
    for group in groups.values():
        conn.execute(_update_text(), group)


def _make_values(
    row: Row[Any], result: SendResult, target: OutboundStatus, now: datetime
) -> dict[str, Any]:
    step = result.step
    values: dict[str, Any] = {
        "text_id": row.id,
        "status": target,
        "lease_until": None,
        "held_reason": step.held_reason,
        "error_code": result.code,
        "error_text": None
        if result.outcome is SendOutcome.TAKEN and not result.code
        else result.answer,
        "check_at": None,
    }
    if step.at is not None:
        values["due_at"] = step.at
    if target is OutboundStatus.SENT:
        values |= _make_sent_values(row, result, now)
    elif target is OutboundStatus.UNCERTAIN:
        values |= {"check_at": now + SOONEST, "absent_since": None}
    elif target in FINAL_STATUSES:
        values["settled_at"] = now
        if step.event is OutboundEvent.OVERDUE:
            values["settled_reason"] = "its validity ended before the provider could be reached"
    return values


def _make_sent_values(row: Row[Any], result: SendResult, now: datetime) -> dict[str, Any]:
    begins = result.text.schedule_at or now
    values: dict[str, Any] = {
        "sent_at": now,
        "check_at": plan_first_check(begins),
        "absent_since": None,
        "background_ids": list(result.background_ids),
    }
    if row.to_number is None and not result.background_ids:
        values |= {
            "check_at": None,
            "settled_at": now,
            "settled_reason": "the provider gave no id to follow it by",
        }
    return values


def keep_ids(
    conn: Connection, outbound_id: int, destination: str, ids: Sequence[str], now: datetime
) -> None:
    """Keep the provider's ids whatever became of the text."""
    _add_ids(conn, [_make_part(outbound_id, destination, each, now) for each in ids])


def _keep_new_ids(conn: Connection, results: Sequence[SendResult], now: datetime) -> list[_NewId]:
    """Store the ids of every result; returns those that are new to their texts."""
    return _add_ids(
        conn,
        [
            _make_part(result.text.id, result.text.to or "", each, now)
            for result in results
            for each in dict.fromkeys(result.provider_ids)
        ],
    )


def _make_part(
    outbound_id: int, destination: str, provider_id: str, now: datetime
) -> dict[str, Any]:
    return {
        "provider_id": provider_id,
        "outbound_id": outbound_id,
        "destination": destination,
        "is_final": False,
        "updated_at": now,
    }


def _add_ids(conn: Connection, rows: Sequence[dict[str, Any]]) -> list[_NewId]:
    if not rows:
        return []
    add = make_insert(conn, provider_messages).on_conflict_do_nothing()
    table = provider_messages.c
    found = conn.execute(add.returning(table.provider_id, table.outbound_id, _OTHER_OWNER), rows)
    return [_NewId(*row) for row in found]


def _follow_late_ids(conn: Connection, row: Row[Any], now: datetime) -> None:
    """A text that a person settled, or that was adopted, now has an id: ask what becomes of it."""
    if row.status == OutboundStatus.SENT:
        conn.execute(
            update(outbound)
            .where(outbound.c.id == row.id)
            .values(check_at=plan_first_check(now), settled_at=None, settled_reason=None)
        )


def _count(counts: DailyCounts, row: Row[Any], target: OutboundStatus, now: datetime) -> None:
    if target is OutboundStatus.SENT:
        counts.add("sent", row.source, now)
    elif target is OutboundStatus.FAILED:
        counts.add("failed", row.source, now)


def _count_replies(
    conn: Connection, sent: Sequence[Row[Any]], now: datetime, counts: DailyCounts
) -> None:
    """How long whoever wrote to us has waited for these texts."""
    replies = {row.in_reply_to: row.source for row in sent if row.in_reply_to is not None}
    if not replies:
        return
    query = select(messages.c.id, messages.c.arrived_at).where(messages.c.id.in_(replies))
    for message in conn.execute(query):
        seconds = max(0, round((now - message.arrived_at).total_seconds()))
        counts.add("replied", replies[message.id], now)
        counts.add("reply_seconds", replies[message.id], now, seconds)
