"""What the provider reports about the texts that it took, part by part, and when to ask again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from app.domain.outbound.checks import is_given_up, plan_check
from app.domain.outbound.states import OutboundStatus
from app.domain.outbound.statuses import Verdict, judge_parts, judge_recipients, read_status
from app.domain.outbound.transitions import move_on
from app.storage.db.writes import BulkWrite, Writes, make_bulk_insert, make_bulk_update
from app.storage.operations.daily_counts import CountName, DailyCounts
from app.storage.operations.erasures.erasures import find_erased
from app.storage.operations.events import add_event
from app.storage.outbound.history import StatusChange, note_changes
from app.storage.outbound.outbox import lock_texts
from app.storage.tables.outbound import has_status, outbound, provider_messages

_COUNTED: dict[OutboundStatus, CountName] = {
    OutboundStatus.DELIVERED: "delivered",
    OutboundStatus.UNDELIVERED: "undelivered",
    OutboundStatus.FAILED: "failed",
    OutboundStatus.EXPIRED: "expired",
}
# What following a text may change of it.
_FOLLOWED = (
    "status", "provider_status", "settled_at", "settled_reason", "check_at", "check_error"
)  # fmt: skip
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
class StatusReport:
    """The provider's status of one of its messages; `destination` only for lists and groups."""

    outbound_id: int
    provider_id: str
    status: str
    destination: str = ""


def list_unsettled(conn: Connection, now: datetime, *, limit: int) -> list[Unsettled]:
    """Texts that the provider took and whose status is due to be checked, longest waiting first."""
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


def find_open(conn: Connection, provider_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """The messages with these ids that have no final status yet: id, text and status so far."""
    table = provider_messages.c
    query: Select[Any] = select(table.provider_id, table.outbound_id, table.status).where(
        table.provider_id.in_(provider_ids), table.is_final.is_(False)
    )
    return conn.execute(query).all()


@dataclass(frozen=True, slots=True)
class Asked:
    """A text whose status was checked.

    `error` is why that failed. `is_over`: the provider will never have a status.
    """

    outbound_id: int
    error: str | None = None
    is_over: bool = False


def record_statuses(
    conn: Connection,
    reports: Iterable[StatusReport],
    source: str,
    now: datetime,
    *,
    asked: Collection[Asked] = (),
) -> int:
    """Record what the provider reports of messages; returns how many texts changed.

    A final status stays, whatever comes after it. The texts in `asked` are checked again later, or
    never again if no final status is to be expected any more.
    """
    by_text = {each.outbound_id: each for each in asked}
    reported: dict[int, list[StatusReport]] = {}
    for report in reports:
        reported.setdefault(report.outbound_id, []).append(report)
    rows = lock_texts(conn, sorted({*reported, *by_text}))
    parts = _list_parts(conn, [row.id for row in rows if row.to_number is not None])
    counts, writes = DailyCounts(), Writes()
    changes: list[StatusChange] = []
    for row in rows:
        known = parts.get(row.id, {})
        own = [each for each in reported.get(row.id, ()) if each.provider_id in known]
        news = _note_news(writes, known, own, now)
        if row.to_number is None:
            verdict = _judge_recipients(conn, row)
        else:
            said = {each: part.status for each, part in known.items()}
            said |= {each.provider_id: each.status for each in news}
            verdict = judge_parts([*said.values()] or [row.provider_status])
        change = _settle(writes, row, verdict, now, counts, asked=by_text.get(row.id))
        changes += _describe(row, change or row.status, news, source, now, verdict)
    counts.move_to(writes)
    writes.run(conn)
    note_changes(conn, changes, now)
    return len({change.outbound_id for change in changes})


def record_recipients(
    conn: Connection, outbound_id: int, reports: Sequence[StatusReport], now: datetime
) -> None:
    """Record some recipients of a list or group; the text's own status is decided later."""
    table = provider_messages.c
    query = select(provider_messages).where(
        table.outbound_id == outbound_id,
        table.provider_id.in_([each.provider_id for each in reports]),
    )
    known = {part.provider_id: part for part in conn.execute(query)}
    # Somebody on the list may have been erased here since it was sent to.
    erased = find_erased(conn, [each.destination for each in reports])
    named = [
        replace(each, destination="") if each.destination in erased else each for each in reports
    ]
    writes = Writes()
    if _note_news(writes, known, named, now):
        writes.run(conn)
        add_event(conn, "status", outbound_id, now)


def _list_parts(conn: Connection, ids: Collection[int]) -> dict[int, dict[str, Row[Any]]]:
    """The messages of each text by the provider's id, in the order in which they became known."""
    parts: dict[int, dict[str, Row[Any]]] = {}
    for part in conn.execute(_select_parts(), {"ids": ids}):
        parts.setdefault(part.outbound_id, {})[part.provider_id] = part
    return parts


@cache
def _select_parts() -> Select[Any]:
    table = provider_messages.c
    query = select(table.outbound_id, table.provider_id, table.status, table.is_final)
    mine = query.where(table.outbound_id.in_(bindparam("ids", expanding=True)))
    return mine.order_by(table.outbound_id, table.id)


def _note_news(
    writes: Writes,
    known: Mapping[str, Row[Any]],
    reports: Iterable[StatusReport],
    now: datetime,
) -> list[StatusReport]:
    """Write down those of the reports that are news, and return them."""
    news = {}
    for report in reports:
        part = known.get(report.provider_id)
        if part is None or not (part.is_final or part.status == report.status):
            news[report.provider_id] = report
    rows = [
        asdict(report) | {"is_final": read_status(report.status).is_final, "updated_at": now}
        for report in news.values()
    ]
    writes.add(_upsert_parts(), rows)
    return [*news.values()]


@cache
def _upsert_parts() -> BulkWrite:
    said = ("status", "is_final", "updated_at")

    def keep_final_status(statement: Any) -> Any:
        return statement.on_conflict_do_update(
            index_elements=["provider_id", "outbound_id"],
            set_={each: statement.excluded[each] for each in said},
            where=provider_messages.c.is_final.is_(False),
        )

    columns = ("provider_id", "outbound_id", "destination", *said)
    return make_bulk_insert(provider_messages, columns, keep_final_status)


def _judge_recipients(conn: Connection, row: Row[Any]) -> Verdict | None:
    """The verdict on all recipients of a list or group; None where they ended differently."""
    query = select(provider_messages.c.status).where(provider_messages.c.outbound_id == row.id)
    words = conn.execute(query.distinct()).scalars().all()  # there may be thousands of them
    return judge_recipients(words) if words else judge_parts([row.provider_status])


def _settle(
    writes: Writes,
    row: Row[Any],
    verdict: Verdict | None,
    now: datetime,
    counts: DailyCounts,
    *,
    asked: Asked | None,
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
        values |= {"status": target, "settled_at": now, "check_at": None, "check_error": None}
        counts.add(_COUNTED[target], row.source, now)
    elif is_given_up(since, row.validity_seconds, now):
        values |= _end(now, NO_FINAL_WORD)
    elif asked is not None and asked.is_over:
        values |= _end(now, f"its status cannot be followed: {asked.error}")
    elif asked is not None:
        values |= {"check_at": plan_check(since, now), "check_error": asked.error}
    if values:
        # The row is locked, so the other values still hold: one statement can serve all texts.
        kept = {each: getattr(row, each) for each in ("id", *_FOLLOWED)}
        writes.add(_update_followed(), [kept | values])
    return target


@cache
def _update_followed() -> BulkWrite:
    return make_bulk_update(outbound, ["id"], _FOLLOWED)


def _end(now: datetime, reason: str) -> dict[str, Any]:
    return {"settled_at": now, "settled_reason": reason, "check_at": None}


def _describe(
    row: Row[Any],
    status: str,
    news: Sequence[StatusReport],
    source: str,
    now: datetime,
    verdict: Verdict | None,
) -> list[StatusChange]:
    """One line for each part's status; a list has too many recipients for that."""
    if row.to_number is not None and news:
        return [
            StatusChange(row.id, status, source, now, each.provider_id, each.status)
            for each in news
        ]
    if status == row.status and not news:
        return []
    return [StatusChange(row.id, status, source, now, None, verdict.word if verdict else None)]


def _find_since(row: Row[Any]) -> datetime:
    sent_at: datetime = row.sent_at or row.created_at
    by_provider = row.schedule_at if row.schedule_by == "provider" else None
    return max(sent_at, by_provider or sent_at)
