"""What follows from recorded results beside the texts: the sender's state, alerts and events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from app.domain.outbound.send_outcomes import ErrorClass, SendOutcome, StopCause
from app.domain.outbound.states import OutboundStatus
from app.storage.db.clock import read_clock
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.events import add_events
from app.storage.outbound.history import StatusChange, note_changes
from app.storage.outbound.results import Record, SendResult
from app.storage.outbound.sender import (
    get_sender,
    plan_probe,
    resume_sender,
    stop_sender,
    tell_stopped,
    tell_works,
)

LATE_ANSWER_ALERT = "late-answer"
SHARED_ID_ALERT = "provider-id-repeated"
UNCERTAIN_ALERT = "uncertain"
NEXT_PROBE = timedelta(seconds=1)


def publish_results(
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
        _warn_of_shared_ids(conn, record, now)
        if record.change is not None and record.row.status == OutboundStatus.UNCERTAIN:
            close_alert(conn, UNCERTAIN_ALERT, str(record.row.id), now=now)
    changes = [record.change for record in records if record.change is not None]
    cancelled = [each for record in records for each in record.cancelled]
    note_changes(conn, [*changes, *others], now)
    add_events(conn, [("status", each) for each in cancelled], now)
    return len(changes) + len(others) + len(cancelled)


def steer_sender(conn: Connection, results: Sequence[SendResult], now: datetime) -> None:
    """Stop or resume all sending, by what results say about the account and the provider."""
    for result in _pick_telling(results):
        step, is_probe = result.step, result.text.is_probe
        if step.stop is not None:
            stop_sender(
                conn,
                result.answer or "the account cannot send",
                now,
                step.stop,
                is_probe=is_probe,
                asked_seconds=step.rest_seconds,
            )
        elif is_probe and _shows_that_it_works(conn, result):
            resume_sender(conn, "sender", now, only_stopped=True)
        elif is_probe and (_tells_nothing(result) or _was_kept_back(result)):
            plan_probe(conn, now, after=NEXT_PROBE)


def _pick_telling(results: Sequence[SendResult]) -> list[SendResult]:
    """The probes, and one text for each cause to stop: a call to many shares its cause."""
    telling: dict[tuple[StopCause | None, int | None], SendResult] = {}
    for result in results:
        probe_id = result.text.id if result.text.is_probe else None
        if result.step.stop is not None or probe_id is not None:
            telling.setdefault((result.step.stop, probe_id), result)
    return list(telling.values())


def _shows_that_it_works(conn: Connection, result: SendResult) -> bool:
    """It was accepted, or refused for its own sake, so the account works."""
    if result.outcome is SendOutcome.TAKEN:
        return True
    return _tells_nothing(result) and get_sender(conn).cause != StopCause.ACCOUNT


def _tells_nothing(result: SendResult) -> bool:
    """A text that was refused for itself says nothing of the account: let another one try."""
    return result.outcome is SendOutcome.REFUSED and result.error_class != ErrorClass.PASSING


def _was_kept_back(result: SendResult) -> bool:
    """No call was made for it, so the account is yet to be tried."""
    return result.outcome is SendOutcome.NOT_TAKEN and result.error_class is None


def _tell_of_sender(conn: Connection, results: Sequence[SendResult], now: datetime) -> None:
    if any(result.step.stop is not None for result in results):
        tell_stopped(conn, now)
    if any(result.text.is_probe for result in results) and get_sender(conn).state == "running":
        tell_works(conn, now)


def _warn_of_shared_ids(conn: Connection, record: Record, now: datetime) -> None:
    for provider_id, other in record.shared_ids.items():
        raise_alert(
            conn,
            SHARED_ID_ALERT,
            provider_id,
            text=f"The provider gave the id {provider_id} to two texts: a status of that id may"
            " be for either of them.",
            action=f"See /outbox/{other} and /outbox/{record.row.id}, and ask the provider"
            " which of them it has sent.",
            now=now,
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
