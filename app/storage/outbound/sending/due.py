"""Finds due texts by priority and groups them into calls."""

from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Row,
    Select,
    bindparam,
    false,
    func,
    literal_column,
    select,
    union_all,
    update,
)

from app.domain.outbound.send_outcomes import NUMBER_CODES
from app.domain.outbound.states import IN_FLIGHT, OutboundStatus, Priority
from app.storage.db.columns import UtcTime
from app.storage.tables.outbound import has_status, is_waiting, outbound
from app.storage.tables.rules import opt_outs

# How many due texts a claim looks at, since some of them may have to wait.
WINDOW = 100
# If most of a window waits for other texts of its pairs, the texts behind it go first.
STEP_BACK = {
    OutboundStatus.SENDING: timedelta(seconds=2),
    OutboundStatus.UNCERTAIN: timedelta(seconds=30),
}
# After this long in the queue, texts to many get the priority of single ones.
MASS_PATIENCE = timedelta(hours=1)
# Texts of one request share a call if these are equal.
_ALIKE = (
    "batch_id",
    "source",
    "source_ton",
    "body",
    "validity_seconds",
    "schedule_at",
    "schedule_by",
)
_LOOKED_AT = (
    "id",
    "pair_key",
    "forced",
    "origin",
    "status",
    "error_code",
    "priority",
    "send_before",
    "due_at",
    *_ALIKE,
)


def list_due(
    conn: Connection, now: datetime, *, calls: int, numbers: int
) -> tuple[Sequence[Row[Any]], bool]:
    """Enough due texts for this many calls to this many numbers; and whether there may be more.

    A few more than needed will do, unless most of them have to wait for others of their pairs.
    """
    due, is_cut = _look(conn, now, min(WINDOW, 2 * calls + 8), numbers)
    pairs = {row.pair_key or row.id for row in due if not row.blocked_by}
    if is_cut and len(pairs) < calls:
        due, is_cut = _look(conn, now, WINDOW, numbers)
    return sorted(due, key=lambda row: _find_place(row, now)), is_cut


def _look(
    conn: Connection, now: datetime, window: int, numbers: int
) -> tuple[Sequence[Row[Any]], bool]:
    """This many of each priority, more of those to many; and whether there may be more."""
    mass_window = max(window, numbers + 8)
    limits = {"window": window, "mass_window": mass_window}
    due = conn.execute(_select_due(), {"now": now, **limits}).all()
    counts = Counter(row.priority for row in due)
    is_cut = any(
        count == (mass_window if priority == Priority.MASS else window)
        for priority, count in counts.items()
    )
    return due, is_cut


def _find_place(row: Row[Any], now: datetime) -> tuple[int, datetime, int]:
    """By priority, but single texts must not hold up a batch for ever."""
    priority = row.priority
    if priority == Priority.MASS and row.due_at <= now - MASS_PATIENCE:
        priority = Priority.SINGLE
    return priority, row.due_at, row.id


@cache  # building it takes longer than running it
def _select_due() -> CompoundSelect[Any]:
    """One index scan per priority: a single scan would read rows that it cannot take."""
    return union_all(*(select(_select_due_of(each).subquery()) for each in Priority))


def _select_due_of(priority: Priority) -> Select[Any]:
    others = outbound.alias()
    # At most one text of a pair is in flight, by a partial unique index.
    blocked_by = (
        select(others.c.status)
        .where(others.c.pair_key == outbound.c.pair_key, has_status(others, *IN_FLIGHT))
        .limit(1)
        .scalar_subquery()
    )
    table = outbound.c
    # Not EXISTS, for which PostgreSQL might read all opt-outs.
    said = select(opt_outs.c.is_out).where(opt_outs.c.number_key == table.to_key)
    opted_out = func.coalesce(said.scalar_subquery(), false())
    is_due = table.due_at <= bindparam("now", type_=UtcTime())
    window = "mass_window" if priority is Priority.MASS else "window"
    return (
        select(
            *(table[name] for name in _LOOKED_AT),
            blocked_by.label("blocked_by"),
            opted_out.label("is_opted_out"),
        )
        .where(is_waiting(outbound), table.priority == literal_column(str(int(priority))), is_due)
        .order_by(table.due_at, table.id)
        .limit(bindparam(window))
    )


def find_next(conn: Connection, now: datetime) -> float | None:
    """Seconds until the next text is due."""
    due_at = min(filter(None, conn.execute(_select_next(), {"now": now}).one()), default=None)
    return None if due_at is None else (due_at - now).total_seconds()


@cache
def _select_next() -> Select[Any]:
    table = outbound.c
    is_later = table.due_at > bindparam("now", type_=UtcTime())
    return select(
        *(
            select(table.due_at)
            .where(is_waiting(outbound), table.priority == literal_column(str(int(each))), is_later)
            .order_by(table.due_at)
            .limit(1)
            .scalar_subquery()
            for each in Priority
        )
    )


def choose_calls(
    conn: Connection,
    due: Sequence[Row[Any]],
    now: datetime,
    *,
    calls: int,
    allowed: int,
    most: int,
) -> tuple[list[list[int]], bool]:
    """The ids to take, by call, one per pair; and whether most texts must wait for their pairs.

    A call may begin if the rate limit allows one more number, and then takes as many as it can.
    """
    chosen: dict[Hashable, list[int]] = {}
    waiting: dict[OutboundStatus, list[int]] = {each: [] for each in IN_FLIGHT}
    pairs: set[bytes] = set()
    full: list[list[int]] = []
    for row in due:
        if row.blocked_by or row.pair_key in pairs:
            waiting[OutboundStatus(row.blocked_by or OutboundStatus.SENDING)].append(row.id)
            continue
        key = _find_call(row)
        if key not in chosen:
            if len(chosen) + len(full) >= calls or allowed < 1:
                continue
            chosen[key] = []
        chosen[key].append(row.id)
        allowed -= 1
        if len(chosen[key]) == most:
            full.append(chosen.pop(key))
        if row.pair_key is not None:
            pairs.add(row.pair_key)
    crowded = sum(map(len, waiting.values())) > WINDOW // 2
    for status, ids in waiting.items() if crowded else ():
        conn.execute(
            update(outbound)
            .where(outbound.c.id.in_(ids), is_waiting(outbound))
            .values(due_at=now + STEP_BACK[status])
        )
    return [*full, *chosen.values()], crowded


def _find_call(row: Row[Any]) -> Hashable:
    """Texts with the same key share a call.

    A text whose number may have caused the refusal of a whole call is sent alone.
    """
    goes_alone = row.status == OutboundStatus.QUEUED and row.error_code in NUMBER_CODES
    if row.batch_id is None or goes_alone:
        return int(row.id)
    return tuple(getattr(row, name) for name in _ALIKE)
