"""What the provider says became of the texts that it took, part by part, and when to ask again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from app.domain.checks import is_given_up, plan_check
from app.domain.outbound import OutboundStatus
from app.domain.statuses import Verdict, judge_parts, judge_recipients, read_status
from app.domain.transitions import move_on
from app.storage.events import add_event
from app.storage.figures import Figure, Figures
from app.storage.history import StatusChange, note_changes
from app.storage.outbound_tables import has_status, outbound, provider_messages

_FIGURES: dict[OutboundStatus, Figure] = {
    OutboundStatus.DELIVERED: "delivered",
    OutboundStatus.UNDELIVERED: "undelivered",
    OutboundStatus.FAILED: "failed",
    OutboundStatus.EXPIRED: "expired",
}
NO_FINAL_WORD = "the provider gave no final word within the validity and six hours"


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A text that the provider took. `since` is when it was, or is to be, sent.

    `open_ids` are those of its parts that have no final word yet; a list or group has its
    `background_ids` instead.
    """

    id: int
    since: datetime
    open_ids: tuple[str, ...]
    background_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """The provider's word on one of its messages; `destination` only for lists and groups."""

    provider_id: str
    status: str
    destination: str = ""


def list_unsettled(conn: Connection, now: datetime, *, limit: int) -> list[Unsettled]:
    """Texts that the provider took, of which it is time to ask, those that wait longest first."""
    query = (
        select(outbound)
        .where(
            outbound.c.check_at.is_not(None),
            outbound.c.check_at <= now,
            has_status(outbound, OutboundStatus.SENT),
        )
        .order_by(outbound.c.check_at, outbound.c.id)
        .limit(limit)
    )
    rows = conn.execute(query).all()
    open_ids: dict[int, list[str]] = {row.id: [] for row in rows}
    parts = (
        select(provider_messages.c.outbound_id, provider_messages.c.provider_id)
        .where(
            provider_messages.c.outbound_id.in_([row.id for row in rows if row.to_number]),
            provider_messages.c.is_final.is_(False),
        )
        .order_by(provider_messages.c.id)
    )
    for part in conn.execute(parts):
        open_ids[part.outbound_id].append(part.provider_id)
    return [
        Unsettled(row.id, _find_since(row), tuple(open_ids[row.id]), tuple(row.background_ids))
        for row in rows
    ]


def find_open(conn: Connection, provider_ids: Sequence[str]) -> dict[str, tuple[int, str | None]]:
    """The texts, and the words known so far, of those ids that have no final word yet."""
    table = provider_messages.c
    query = select(table.provider_id, table.outbound_id, table.status).where(
        table.provider_id.in_(provider_ids), table.is_final.is_(False)
    )
    return {row.provider_id: (row.outbound_id, row.status) for row in conn.execute(query)}


def record_words(
    conn: Connection,
    words: Mapping[int, Sequence[Word]],
    told_by: str,
    now: datetime,
    *,
    asked: Sequence[int] = (),
) -> int:
    """Note the provider's words on the messages of each text; returns how many texts changed.

    A final word stays, whatever comes after it. The texts in `asked` are asked about again later,
    or not at all where no final word is to be expected any more.
    """
    figures = Figures()
    changes: list[StatusChange] = []
    for outbound_id in sorted({*words, *asked}):
        query = select(outbound).where(outbound.c.id == outbound_id).with_for_update()
        row = conn.execute(query).one()
        parts = _record_parts(conn, row.id, words.get(outbound_id, ()), now)
        verdict = _judge(conn, row)
        change = _settle(conn, row, verdict, now, figures, was_asked=outbound_id in asked)
        changes += _describe(row, change or row.status, parts, told_by, now, verdict)
    figures.write(conn)
    note_changes(conn, changes, now)
    return len({change.outbound_id for change in changes})


def record_recipients(
    conn: Connection, outbound_id: int, words: Sequence[Word], now: datetime
) -> None:
    """Note some of a list's or group's recipients; what they say together is looked at later."""
    if _record_parts(conn, outbound_id, words, now):
        add_event(conn, "status", outbound_id, now)


def _record_parts(
    conn: Connection, outbound_id: int, words: Sequence[Word], now: datetime
) -> list[Word]:
    """The words that are news."""
    if not words:
        return []
    known = {
        part.provider_id: part
        for part in conn.execute(
            select(provider_messages).where(
                provider_messages.c.provider_id.in_([word.provider_id for word in words])
            )
        )
    }
    news = []
    for word in words:
        part = known.get(word.provider_id)
        if part is not None and (
            part.outbound_id != outbound_id or part.is_final or part.status == word.status
        ):
            continue
        values = {
            "status": word.status,
            "is_final": read_status(word.status).is_final,
            "updated_at": now,
        }
        if part is None:
            values |= {"destination": word.destination, "outbound_id": outbound_id}
            conn.execute(provider_messages.insert().values(provider_id=word.provider_id, **values))
        else:
            same = provider_messages.c.provider_id == word.provider_id
            conn.execute(update(provider_messages).where(same).values(**values))
        news.append(word)
    return news


def _judge(conn: Connection, row: Row[Any]) -> Verdict | None:
    """What all its messages say together; None where recipients ended differently."""
    query = select(provider_messages.c.status).where(provider_messages.c.outbound_id == row.id)
    if row.to_number is None:  # there may be thousands
        query = query.distinct()
    words = conn.execute(query).scalars().all()
    if not words:
        return judge_parts([row.provider_status])
    return judge_parts(words) if row.to_number is not None else judge_recipients(words)


def _settle(
    conn: Connection,
    row: Row[Any],
    verdict: Verdict | None,
    now: datetime,
    figures: Figures,
    *,
    was_asked: bool,
) -> OutboundStatus | None:
    """Bring the text up to date; returns its status where that is another one now."""
    if row.status != OutboundStatus.SENT or row.settled_at is not None:
        return None
    target = None if verdict is None else move_on(OutboundStatus.SENT, verdict.event)
    values: dict[str, Any] = {}
    if verdict is not None and verdict.word is not None:
        values["provider_status"] = verdict.word
    since = _find_since(row)
    if verdict is None:
        values |= _end(now, "its recipients ended differently; each has its own status")
    elif target is not None:
        values |= {"status": target, "settled_at": now, "check_at": None}
        figures.add(_FIGURES[target], row.source, now)
    elif is_given_up(since, row.validity_seconds, now):
        values |= _end(now, NO_FINAL_WORD)
    elif was_asked:
        values["check_at"] = plan_check(since, now)
    if values:
        conn.execute(update(outbound).where(outbound.c.id == row.id).values(**values))
    return target


def _end(now: datetime, reason: str) -> dict[str, Any]:
    return {"settled_at": now, "settled_reason": reason, "check_at": None}


def _describe(
    row: Row[Any],
    status: str,
    news: Sequence[Word],
    told_by: str,
    now: datetime,
    verdict: Verdict | None,
) -> list[StatusChange]:
    """A line for each part's word; a list's recipients are too many for that."""
    if row.to_number is not None and news:
        return [
            StatusChange(row.id, status, told_by, now, word.provider_id, word.status)
            for word in news
        ]
    if status == row.status and not news:
        return []
    return [StatusChange(row.id, status, told_by, now, None, verdict.word if verdict else None)]


def _find_since(row: Row[Any]) -> datetime:
    sent_at: datetime = row.sent_at or row.created_at
    by_provider = row.schedule_at if row.schedule_by == "provider" else None
    return max(sent_at, by_provider or sent_at)
