"""What came of a call: recorded by whoever made it, as long as the attempt is its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from app.domain.checks import SOONEST, plan_first_check
from app.domain.fates import ErrorClass, Fate
from app.domain.outbound import FINAL_STATUSES, OutboundStatus
from app.domain.retries import Step
from app.domain.transitions import OutboundEvent, move_on
from app.storage.alerts import close_alert, raise_alert
from app.storage.claims import ClaimedText
from app.storage.clock import read_clock
from app.storage.figures import Figures
from app.storage.history import StatusChange, note_changes
from app.storage.opted_out import note_refused_number
from app.storage.outbound_tables import outbound, provider_messages, send_attempts
from app.storage.sender import (
    lock_sender,
    plan_probe,
    resume_sender,
    stop_sender,
    tell_stopped,
    tell_works,
)
from app.storage.tables import messages
from app.storage.upserts import make_insert

LATE_ANSWER_ALERT = "late-answer"
UNCERTAIN_ALERT = "uncertain"
# What a provider says of an error is a line; what it says of a list may be longer.
MAX_ANSWER = 1000
NEXT_PROBE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SendResult:
    """What a call for a text came to. `code` and `answer` are the provider's or the error's words.

    `provider_ids` are those of the text's parts, `background_ids` of a list's or group's sends.
    """

    text: ClaimedText
    fate: Fate
    step: Step
    error_class: str | None = None
    code: str | None = None
    answer: str | None = None
    provider_ids: tuple[str, ...] = ()
    background_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """`row` is the text as it was found; `is_late`: the answer came when nobody waited for it."""

    row: Row[Any]
    result: SendResult
    change: StatusChange | None
    is_late: bool


def record_results(
    conn: Connection, results: Sequence[SendResult], now: datetime | None = None
) -> list[Record]:
    """Write down what calls came to; `tell_results` is to follow at the transaction's end.

    A text whose attempt is not this one's any more, or that somebody settled meanwhile, stays as it
    is; its ids are kept. A result that is recorded already, by a commit whose answer was lost,
    changes nothing.
    """
    if not results:
        return []
    now = now or read_clock(conn)
    results = sorted(results, key=lambda each: each.text.id)
    if any(each.step.stops_sender or each.text.is_probe for each in results):
        lock_sender(conn)  # first, as every claim does
    figures = Figures()
    found = (_record(conn, result, now, figures) for result in results)
    records = [record for record in found if record is not None]
    for record in records:
        result = record.result
        if result.step.opts_out and result.text.to is not None:
            note_refused_number(conn, result.text.to, result.answer or "", now)
    figures.write(conn)
    _steer_sender(conn, [record.result for record in records], now)
    return records


def tell_results(
    conn: Connection,
    records: Sequence[Record],
    now: datetime | None = None,
    *,
    others: Sequence[StatusChange] = (),
) -> int:
    """Tell of what was recorded, and of other changes; returns how many statuses changed.

    These are events, whose lock is taken last of all: nothing may follow in the transaction.
    """
    if not records and not others:
        return 0
    now = now or read_clock(conn)
    _tell_of_sender(conn, [record.result for record in records], now)
    for record in records:
        if record.is_late:
            _warn_of_late_answer(conn, record.row, record.result, now)
        if record.change is not None and record.row.status == OutboundStatus.UNCERTAIN:
            close_alert(conn, UNCERTAIN_ALERT, str(record.row.id), now=now)
    changes = [record.change for record in records if record.change is not None]
    note_changes(conn, [*changes, *others], now)
    return len(changes) + len(others)


def _record(conn: Connection, result: SendResult, now: datetime, figures: Figures) -> Record | None:
    text = result.text
    open_attempt = or_(send_attempts.c.fate.is_(None), send_attempts.c.fate == Fate.UNKNOWN)
    noted = conn.execute(
        update(send_attempts)
        .where(
            send_attempts.c.outbound_id == text.id,
            send_attempts.c.attempt == text.attempt,
            open_attempt,
        )
        .values(
            ended_at=now,
            fate=result.fate,
            error_class=result.error_class,
            code=result.code,
            answer=(result.answer or ", ".join(result.provider_ids))[:MAX_ANSWER],
        )
    )
    if not noted.rowcount:
        return None
    row = conn.execute(select(outbound).where(outbound.c.id == text.id).with_for_update()).one()
    is_new = keep_ids(conn, text.id, text.to or "", result.provider_ids, now)
    status = OutboundStatus(row.status)
    target = move_on(status, result.step.event) if row.attempts == text.attempt else None
    is_awaited = status in {OutboundStatus.SENDING, OutboundStatus.UNCERTAIN}
    is_late = result.fate is Fate.TAKEN and (target is None or not is_awaited)
    if target is None:
        if is_new:
            _follow_late_ids(conn, row, now)
        return Record(row, result, None, is_late)
    conn.execute(
        update(outbound)
        .where(outbound.c.id == text.id)
        .values(**_make_values(row, result, target, now))
    )
    if target is OutboundStatus.SENT:
        _count_sent(conn, row, now, figures)
    elif target is OutboundStatus.FAILED:
        figures.add("failed", row.source, now)
    change = None if target is status else StatusChange(text.id, target, "send", now)
    return Record(row, result, change, is_late)


def _make_values(
    row: Row[Any], result: SendResult, target: OutboundStatus, now: datetime
) -> dict[str, Any]:
    step = result.step
    values: dict[str, Any] = {
        "status": target,
        "lease_until": None,
        "held_reason": step.held_reason,
        "error_code": result.code,
        "error_text": None if result.fate is Fate.TAKEN and not result.code else result.answer,
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
) -> bool:
    """Keep the provider's ids whatever became of the text; returns whether any was new."""
    if not ids:
        return False
    rows = [
        {
            "provider_id": each,
            "outbound_id": outbound_id,
            "destination": destination,
            "is_final": False,
            "updated_at": now,
        }
        for each in dict.fromkeys(ids)
    ]
    added = conn.execute(
        make_insert(conn, provider_messages)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(provider_messages.c.provider_id)
    )
    return bool(added.scalars().all())


def _follow_late_ids(conn: Connection, row: Row[Any], now: datetime) -> None:
    """A text that a person settled, or that was adopted, now has an id: ask what becomes of it."""
    if row.status == OutboundStatus.SENT:
        conn.execute(
            update(outbound)
            .where(outbound.c.id == row.id)
            .values(check_at=plan_first_check(now), settled_at=None, settled_reason=None)
        )


def _warn_of_late_answer(
    conn: Connection, row: Row[Any], result: SendResult, now: datetime
) -> None:
    ids = ", ".join((*result.provider_ids, *result.background_ids)) or "none"
    raise_alert(
        conn,
        LATE_ANSWER_ALERT,
        str(row.id),
        text=f"The provider's answer to try {result.text.attempt} of a text to"
        f" {row.to_number or row.list_name or row.group_name} came when the text was"
        f" {row.status} in try {row.attempts}; its ids are {ids}.",
        action="Look at the text and the provider's Messages report: it may have gone out twice.",
        now=now,
    )


def _count_sent(conn: Connection, row: Row[Any], now: datetime, figures: Figures) -> None:
    figures.add("sent", row.source, now)
    if row.in_reply_to is None:
        return
    query = select(messages.c.arrived_at).where(messages.c.id == row.in_reply_to)
    arrived_at = conn.execute(query).scalar()
    if arrived_at is not None:
        seconds = max(0, round((now - arrived_at).total_seconds()))
        figures.add("replied", row.source, now)
        figures.add("reply_seconds", row.source, now, seconds)


def _steer_sender(conn: Connection, results: Sequence[SendResult], now: datetime) -> None:
    for result in results:
        if result.step.stops_sender:
            stop_sender(conn, _say_why(result), now)
        elif result.text.is_probe and result.fate is Fate.TAKEN:
            resume_sender(conn, "sender", now, only_stopped=True)
        elif result.text.is_probe and _tells_nothing(result):
            plan_probe(conn, now, after=NEXT_PROBE)


def _tells_nothing(result: SendResult) -> bool:
    """A text that was refused for itself says nothing of the account: let another one try."""
    return result.fate is Fate.REFUSED and result.error_class != ErrorClass.PASSING


def _tell_of_sender(conn: Connection, results: Sequence[SendResult], now: datetime) -> None:
    for result in results:
        if result.step.stops_sender:
            tell_stopped(conn, _say_why(result), now)
        elif result.text.is_probe and result.fate is Fate.TAKEN:
            tell_works(conn, now)


def _say_why(result: SendResult) -> str:
    return result.answer or "the account cannot send"
