"""Resolves uncertain texts: by the report, by a person, or by asking one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from app.domain.errors import Conflict, NotFound
from app.domain.outbound.checks import plan_check
from app.domain.outbound.states import FINAL_STATUSES, OutboundStatus
from app.domain.outbound.transitions import OutboundEvent, move_on
from app.domain.outbound.uncertain_resolution import (
    Finding,
    UncertainText,
    find_persons_turn,
)
from app.storage.operations.alerts import close_alert, raise_alert
from app.storage.operations.daily_counts import DailyCounts
from app.storage.outbound.history import StatusChange, describe_status, note_changes
from app.storage.outbound.sending.attempts import add_ids
from app.storage.outbound.sending.result_events import UNCERTAIN_ALERT
from app.storage.outbound.sending.uncertain import find_known, select_due
from app.storage.tables.outbound import outbound

# No report reaches back further.
GIVEN_UP = timedelta(hours=30)
RETRY_AFTER = timedelta(seconds=60)

_EVENTS = {
    Finding.ADOPT: OutboundEvent.ADOPTED,
    Finding.SEND_AGAIN: OutboundEvent.PROVED_ABSENT,
}


def resolve_uncertain(
    conn: Connection,
    text: UncertainText,
    finding: Finding,
    ids: Sequence[str],
    now: datetime,
    *,
    proof_seconds: int,
) -> bool:
    """Do what the finding asks for; returns whether the text is resolved by it.

    Somebody may have resolved it in the meantime.
    """
    query = select(outbound).where(outbound.c.id == text.id).with_for_update()
    row = conn.execute(query).first()
    if row is None or row.status != OutboundStatus.UNCERTAIN or row.attempts != text.attempt:
        return False
    event = _EVENTS.get(finding)
    if event is None:
        _plan_next_look(conn, text, finding, now, proof_seconds)
        return False
    if finding is Finding.ADOPT:
        if find_known(conn, ids):  # given to another text while the report was read
            return False
        add_ids(conn, [(text.id, text.to, each) for each in ids], now)
    _change(conn, row, event, "report", now, sent_at=text.began_at)
    return True


def _plan_next_look(
    conn: Connection, text: UncertainText, finding: Finding, now: datetime, proof_seconds: int
) -> None:
    check_at = plan_check(text.ended_at, now)
    persons_turn = find_persons_turn(text, proof_seconds)
    if persons_turn > now:
        check_at = min(check_at, persons_turn)
    values: dict[str, Any] = {"check_at": check_at}
    if finding is Finding.DOUBT:
        values["absent_since"] = None
    elif finding is Finding.SUSPECT:
        since = text.absent_since or now
        proved_at = since + timedelta(seconds=proof_seconds)
        values |= {"absent_since": since, "check_at": min(check_at, proved_at)}
    if now >= text.ended_at + GIVEN_UP:
        values["check_at"] = None
    conn.execute(update(outbound).where(outbound.c.id == text.id).values(**values))


def postpone(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """Look again later, because the report could not be read."""
    conn.execute(
        update(outbound)
        .where(outbound.c.id.in_(ids), outbound.c.status == OutboundStatus.UNCERTAIN)
        .values(check_at=now + RETRY_AFTER)
    )


def resolve_by_hand(
    conn: Connection,
    outbound_id: int,
    event: OutboundEvent,
    provider_id: str | None,
    who: str,
    now: datetime,
    *,
    attempt: int | None = None,
) -> None:
    """Record what a person says became of an uncertain text.

    Raises NotFound, and Conflict if the text is not uncertain, if its last attempt is not the one
    that they speak of (None: any), if it is too late to send it again, or if the id belongs to
    another text.
    """
    query = select(outbound).where(outbound.c.id == outbound_id).with_for_update()
    row = conn.execute(query).first()
    if row is None:
        raise NotFound("no such outbound text")
    if row.status != OutboundStatus.UNCERTAIN:
        raise Conflict(f"the text is {row.status}; only an uncertain one can be resolved")
    if attempt is not None and row.attempts != attempt:
        raise Conflict("the text was sent once more since then: look at it anew")
    is_over = row.send_before is not None and row.send_before <= now
    if event is OutboundEvent.RESENT_BY_HAND and is_over:
        raise Conflict("its time is over, so it cannot be sent again: write a new text")
    if provider_id is not None:
        if find_known(conn, [provider_id]):
            raise Conflict(f"the provider's id {provider_id} belongs to another text")
        add_ids(conn, [(row.id, row.to_number or "", provider_id)], now)
    _change(conn, row, event, who, now, has_id=provider_id is not None)


def _change(
    conn: Connection,
    row: Row[Any],
    event: OutboundEvent,
    source: str,
    now: datetime,
    *,
    sent_at: datetime | None = None,
    has_id: bool = True,
) -> None:
    target = move_on(OutboundStatus(row.status), event)
    if target is None:
        raise Conflict(f"the text is {row.status}")
    values = describe_status(target, now)
    counts = DailyCounts()
    if target is OutboundStatus.QUEUED:
        values["due_at"] = now
    elif target is OutboundStatus.SENT:
        values["sent_at"] = sent_at or now
        counts.add("sent", row.source, now)
        if not has_id:
            reason = "a person says that it was sent; it has no id to follow it by"
            values |= {"check_at": None, "settled_at": now, "settled_reason": reason}
    elif target in FINAL_STATUSES:
        values["settled_reason"] = "a person says that it was not sent"
        counts.add("failed", row.source, now)
    conn.execute(update(outbound).where(outbound.c.id == row.id).values(**values))
    counts.write(conn)
    close_alert(conn, UNCERTAIN_ALERT, str(row.id), now=now)
    note_changes(conn, [StatusChange(row.id, target, source, now)], now)


def ask_person(conn: Connection, outbound_id: int, now: datetime) -> None:
    """Raise an alert: only a person can resolve this text."""
    row = conn.execute(select(outbound).where(outbound.c.id == outbound_id)).first()
    if row is None or row.status != OutboundStatus.UNCERTAIN:
        return
    named = f"list {row.list_name}" if row.list_name else f"group {row.group_name}"
    whom = row.to_number or f"the {named}"
    raise_alert(
        conn,
        UNCERTAIN_ALERT,
        str(row.id),
        text=f"Nobody knows whether a text to {whom} went out:"
        f" {row.error_text or 'its call was cut off'}",
        action="Look for it in the provider's Messages report, then say on its page whether it was"
        " sent, failed, or has to go out again.",
        count=0,
        now=now,
    )


def hand_over_lists(conn: Connection, now: datetime, *, limit: int) -> int:
    """Ask a person about uncertain sends to lists and groups: no report can prove anything."""
    rows = conn.execute(select_due(now, limit).where(outbound.c.to_number.is_(None))).all()
    for row in rows:
        conn.execute(update(outbound).where(outbound.c.id == row.id).values(check_at=None))
        ask_person(conn, row.id, now)
    return len(rows)
