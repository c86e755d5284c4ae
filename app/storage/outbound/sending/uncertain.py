"""Texts of which nobody knows whether they went out, and what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, or_, select

from app.domain.outbound.send_outcomes import SendOutcome
from app.domain.outbound.states import OutboundStatus
from app.domain.outbound.uncertain_resolution import (
    LEEWAY,
    UncertainText,
)
from app.storage.operations.erasures.tombstones import find_buried_ids
from app.storage.tables.outbound import has_status, outbound, provider_messages, send_attempts

# How many texts sent later are looked for in the report: the next ones and the newest.
EVIDENCE_TEXTS = 200
# How long sends to a list or group may take, or wait for their schedule.
LIST_SPAN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A text of ours that was sent later, and the id that the provider gave it."""

    provider_id: str
    to: str
    source: str
    began_at: datetime


def list_uncertain(conn: Connection, now: datetime, *, limit: int) -> list[UncertainText]:
    """Those to numbers that are due for a look at the report."""
    rows = conn.execute(select_due(now, limit).where(outbound.c.to_number.is_not(None)))
    return [_make_text(conn, row, now) for row in rows.all()]


def _is_last_attempt() -> ColumnElement[bool]:
    attempts = send_attempts.c
    return and_(attempts.outbound_id == outbound.c.id, attempts.attempt == outbound.c.attempts)


def select_due(now: datetime, limit: int) -> Select[Any]:
    """Those due for a look, with when their last call began and ended."""
    return (
        select(outbound, send_attempts.c.began_at, send_attempts.c.ended_at)
        .join(send_attempts, _is_last_attempt())
        .where(
            outbound.c.check_at.is_not(None),
            outbound.c.check_at <= now,
            has_status(outbound, OutboundStatus.UNCERTAIN),
        )
        .order_by(outbound.c.check_at, outbound.c.id)
        .limit(limit)
    )


def _make_text(conn: Connection, row: Row[Any], now: datetime) -> UncertainText:
    return UncertainText(
        id=row.id,
        attempt=row.attempts,
        to=row.to_number,
        source=row.source,
        parts=row.parts,
        began_at=row.began_at,
        ended_at=row.ended_at or now,
        absent_since=row.absent_since,
        is_scheduled=row.schedule_by == "provider",
        has_unclear_sibling=_has_unclear_sibling(conn, row) or _may_be_a_recipients(conn, row),
    )


def _has_unclear_sibling(conn: Connection, row: Row[Any]) -> bool:
    """Whether the report may list another text of the pair and time whose call got no id.

    One that was called for again has an id, but that of the later call.
    """
    has_id = exists().where(provider_messages.c.outbound_id == outbound.c.id)
    query = (
        select(outbound.c.id)
        .join(send_attempts, send_attempts.c.outbound_id == outbound.c.id)
        .where(
            outbound.c.pair_key == row.pair_key,
            outbound.c.id != row.id,
            send_attempts.c.outcome == SendOutcome.UNKNOWN,
            send_attempts.c.ended_at >= row.began_at - LEEWAY,
            or_(~has_id, send_attempts.c.attempt < outbound.c.attempts),
        )
    )
    return conn.execute(query.limit(1)).first() is not None


def _may_be_a_recipients(conn: Connection, row: Row[Any]) -> bool:
    """Whether a row to this number may be of a recent text to a list or group, some of whose ids
    are not known.
    """
    query = (
        select(outbound.c.background_ids, outbound.c.settled_at)
        .where(
            outbound.c.to_number.is_(None),
            outbound.c.source_key == row.source_key,
            outbound.c.attempts > 0,
            or_(outbound.c.sent_at.is_(None), outbound.c.sent_at >= row.began_at - LIST_SPAN),
        )
        .order_by(outbound.c.id.desc())
        .limit(EVIDENCE_TEXTS)
    )
    found = conn.execute(query)
    return any(not each.background_ids or each.settled_at is None for each in found)


def list_evidence(conn: Connection, texts: Sequence[UncertainText]) -> dict[str, Evidence]:
    """Texts with a known id that began after an uncertain one had ended, by that id."""
    earliest = min(text.ended_at for text in texts)
    ids = {number for text in texts for number in _list_next_ids(conn, after=text.id)}
    newest = select(outbound.c.id).order_by(outbound.c.id.desc()).limit(EVIDENCE_TEXTS)
    ids |= set(conn.execute(newest).scalars())
    query = (
        select(
            provider_messages.c.provider_id,
            outbound.c.to_number,
            outbound.c.source,
            send_attempts.c.began_at,
        )
        .join(outbound, outbound.c.id == provider_messages.c.outbound_id)
        .join(send_attempts, _is_last_attempt())
        .where(
            provider_messages.c.outbound_id.in_(ids),
            outbound.c.to_number.is_not(None),
            send_attempts.c.began_at > earliest,
        )
    )
    return {row[0]: Evidence(*row) for row in conn.execute(query)}


def _list_next_ids(conn: Connection, *, after: int) -> Sequence[int]:
    query = select(outbound.c.id).where(outbound.c.id > after).order_by(outbound.c.id)
    return conn.execute(query.limit(EVIDENCE_TEXTS // 10)).scalars().all()


def find_known(conn: Connection, provider_ids: Sequence[str]) -> set[str]:
    """Those of the ids that belong to a text of ours, or to one that was erased."""
    query = select(provider_messages.c.provider_id).where(
        provider_messages.c.provider_id.in_(provider_ids)
    )
    return set(conn.execute(query).scalars()) | find_buried_ids(conn, provider_ids)
