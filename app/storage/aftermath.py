"""What follows from recorded results beside the texts: the sender's state, alerts and events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from app.domain.fates import ErrorClass, Fate
from app.domain.outbound import OutboundStatus
from app.storage.alerts import close_alert, raise_alert
from app.storage.clock import read_clock
from app.storage.events import add_events
from app.storage.history import StatusChange, note_changes
from app.storage.results import Record, SendResult
from app.storage.sender import (
    plan_probe,
    resume_sender,
    stop_sender,
    tell_stopped,
    tell_works,
)

LATE_ANSWER_ALERT = "late-answer"
UNCERTAIN_ALERT = "uncertain"
NEXT_PROBE = timedelta(seconds=1)


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
    cancelled = [each for record in records for each in record.cancelled]
    note_changes(conn, [*changes, *others], now)
    add_events(conn, [("status", each) for each in cancelled], now)
    return len(changes) + len(others) + len(cancelled)


def steer_sender(conn: Connection, results: Sequence[SendResult], now: datetime) -> None:
    """Stop all sending, or let it go on, as results tell of the account."""
    for result in _pick_telling(results):
        if result.step.stops_sender:
            stop_sender(conn, _say_why(result), now)
        elif result.fate is Fate.TAKEN:
            resume_sender(conn, "sender", now, only_stopped=True)
        elif _tells_nothing(result):
            plan_probe(conn, now, after=NEXT_PROBE)


def _pick_telling(results: Sequence[SendResult]) -> list[SendResult]:
    """The probes, and of a call to many the first text that stops all sending."""
    stops = [each for each in results if each.step.stops_sender]
    return [each for each in results if each.text.is_probe or each in stops[:1]]


def _tells_nothing(result: SendResult) -> bool:
    """A text that was refused for itself says nothing of the account: let another one try."""
    return result.fate is Fate.REFUSED and result.error_class != ErrorClass.PASSING


def _tell_of_sender(conn: Connection, results: Sequence[SendResult], now: datetime) -> None:
    for result in _pick_telling(results):
        if result.step.stops_sender:
            tell_stopped(conn, _say_why(result), now)
        elif result.fate is Fate.TAKEN:
            tell_works(conn, now)


def _say_why(result: SendResult) -> str:
    return result.answer or "the account cannot send"


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
