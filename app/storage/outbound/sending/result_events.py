"""What follows from recorded results beside the texts: the sender's state, alerts and events."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from app.domain.outbound.retries import Step
from app.domain.outbound.send_outcomes import CallResult, ErrorClass, SendOutcome, StopCause
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.events import Change, add_events
from app.storage.outbound.history import StatusChange, note_changes
from app.storage.outbound.sending.claims import ClaimedText
from app.storage.outbound.sending.sender import (
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


@dataclass(frozen=True, slots=True)
class SendResult:
    """What a call for a text came to, and what follows from it."""

    text: ClaimedText
    call: CallResult
    step: Step

    @property
    def concerns_account(self) -> bool:
        """Whether it may stop all sending, or resume it."""
        return self.step.stop is not None or self.text.is_probe


@dataclass(slots=True)
class Recorded:
    """What recording leaves to publish.

    `results` are those that were not recorded before. `resolved` are texts that were uncertain,
    `late` the answers that came when nobody waited for them any more, each with its text as it was
    found. `shared_ids` are ids that another text had before: the id, that text and the new one.
    `cancelled` are other texts, to numbers that the provider refuses; `opted` are those numbers'
    opt-outs.
    """

    results: list[SendResult] = field(default_factory=list)
    changes: list[StatusChange] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    late: list[tuple[Row[Any], SendResult]] = field(default_factory=list)
    shared_ids: list[tuple[str, int, int]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    opted: list[int] = field(default_factory=list)


def publish_results(
    conn: Connection, recorded: Recorded, now: datetime, *, others: Sequence[StatusChange] = ()
) -> int:
    """Publish what was recorded, and other changes; returns how many statuses changed.

    Nothing may follow in the transaction, because the lock of the events is the last one taken.
    """
    if any(result.step.stop is not None for result in recorded.results):
        tell_stopped(conn, now)
    is_tried = any(result.text.is_probe for result in recorded.results)
    if is_tried and get_sender(conn).state == "running":
        tell_works(conn, now)
    for row, result in recorded.late:
        _warn_of_late_answer(conn, row, result, now)
    for provider_id, other, outbound_id in recorded.shared_ids:
        raise_alert(
            conn,
            SHARED_ID_ALERT,
            provider_id,
            text=f"The provider gave the id {provider_id} to two texts: a status of that id may"
            " be for either of them.",
            action=f"See /outbox/{other} and /outbox/{outbound_id}, and ask the provider"
            " which of them it has sent.",
            now=now,
        )
    for outbound_id in recorded.resolved:
        close_alert(conn, UNCERTAIN_ALERT, str(outbound_id), now=now)
    note_changes(conn, [*recorded.changes, *others], now)
    changes: list[Change] = [("status", each) for each in recorded.cancelled]
    add_events(conn, changes + [("opt-out", each) for each in recorded.opted], now)
    return len(recorded.changes) + len(others) + len(recorded.cancelled)


def steer_sender(conn: Connection, results: Sequence[SendResult], now: datetime) -> None:
    """Stop or resume all sending, by what results say about the account and the provider.

    A call to many numbers has one cause to stop, however many texts it had.
    """
    telling: dict[tuple[StopCause | None, int | None], SendResult] = {}
    for result in results:
        if result.concerns_account:
            probe_id = result.text.id if result.text.is_probe else None
            telling.setdefault((result.step.stop, probe_id), result)
    for result in telling.values():
        step, call = result.step, result.call
        # A text refused for its own sake says nothing of the account: another one should try.
        is_its_own = (
            call.outcome is SendOutcome.REFUSED and call.error_class is not ErrorClass.PASSING
        )
        if step.stop is not None:
            stop_sender(
                conn,
                call.answer or "the account cannot send",
                now,
                step.stop,
                is_probe=result.text.is_probe,
                asked_seconds=step.rest_seconds,
            )
        elif call.outcome is SendOutcome.TAKEN or (
            is_its_own and get_sender(conn).cause != StopCause.ACCOUNT
        ):
            resume_sender(conn, "sender", now, only_stopped=True)
        elif is_its_own or not call.was_called:
            plan_probe(conn, now, after=NEXT_PROBE)


def _warn_of_late_answer(
    conn: Connection, row: Row[Any], result: SendResult, now: datetime
) -> None:
    ids = ", ".join((*result.call.provider_ids, *result.call.background_ids)) or "none"
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
