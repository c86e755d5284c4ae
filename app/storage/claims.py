"""Claims: which texts go out next, taken from the queue by one process for one call each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from app.domain.fates import LOOK_FIRST
from app.domain.outbound import UNDER_WAY, OutboundStatus
from app.domain.transitions import OutboundEvent
from app.storage.history import StatusChange
from app.storage.lapses import end_waiting
from app.storage.outbound_tables import (
    has_status,
    is_waiting,
    opt_outs,
    outbound,
    send_attempts,
)
from app.storage.sender import (
    SenderState,
    compute_wait,
    count_tokens,
    plan_probe,
    spend_tokens,
)
from app.storage.writes import BulkWrite, Writes, make_bulk_insert

# A claim looks at so many of the texts that are due: some of them may have to wait.
WINDOW = 100
# Where most of a window waits for other texts of its pairs, it makes room for those behind it.
STEP_BACK = {
    OutboundStatus.SENDING: timedelta(seconds=2),
    OutboundStatus.UNCERTAIN: timedelta(seconds=30),
}
CROWDED_WAIT_SECONDS = 0.02
# What a call needs to know of its text: to have all columns read takes longer than the rest.
_TAKEN = (
    "id",
    "attempts",
    "to_number",
    "list_name",
    "group_name",
    "source",
    "source_ton",
    "body",
    "parts",
    "schedule_at",
    "schedule_by",
    "validity_seconds",
    "send_before",
    "in_reply_to",
)


@dataclass(frozen=True, slots=True)
class ClaimedText:
    """A text for one call. `attempt` is the fence of what is recorded about it.

    `schedule_at` is given where the provider is to keep the schedule. `lease_until` is by the
    database's clock. `is_probe`: whether the account works again is seen by it.
    """

    id: int
    attempt: int
    to: str | None
    list_name: str | None
    group_name: str | None
    source: str
    source_ton: int | None
    body: str
    parts: int
    schedule_at: datetime | None
    validity_seconds: int
    valid_until: datetime
    in_reply_to: int | None
    claimed_at: datetime
    lease_until: datetime
    is_probe: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """`wait_seconds` is when another claim may find more; None: when something new comes.

    `ended` are texts that expired or were cancelled on the way; they are yet to be noted.
    `asks_credits`: the account is to be tried again, and no text is there to try it with, or none
    is to be risked.
    """

    texts: list[ClaimedText]
    wait_seconds: float | None
    ended: Sequence[StatusChange] = ()
    asks_credits: bool = False


def claim_texts(
    conn: Connection,
    state: SenderState,
    now: datetime,
    *,
    limit: int,
    per_second: float,
    lease_seconds: float,
) -> Claim:
    """Take up to `limit` texts that are due, as the pace, a pause and their pairs allow.

    `state` is that of the sender, which must be locked. On the way texts that are too late expire,
    and those to numbers that opted out are cancelled: the events of that are left for the
    transaction's end.
    """
    if state.state == "paused":
        return Claim([], None)
    is_probe = state.state == "stopped"
    if is_probe and state.probe_at is not None and state.probe_at > now:
        return Claim([], (state.probe_at - now).total_seconds())
    if is_probe and state.cause in LOOK_FIRST:
        plan_probe(conn, now)
        return Claim([], None, asks_credits=True)
    allowed = min(1 if is_probe else limit, count_tokens(state, per_second, now))
    if allowed < 1:
        return Claim([], compute_wait(state, per_second, now))
    due, is_cut = _list_due(conn, now, allowed)
    if not due and not is_probe:
        return Claim([], _find_next(conn, now))
    ended = _put_aside(conn, due, now)
    chosen, crowded = _choose(conn, [row for row in due if row.id not in ended], allowed, now)
    writes = Writes()
    texts = _take(conn, writes, chosen, now, lease_seconds=lease_seconds, is_probe=is_probe)
    if texts:
        state = spend_tokens(writes, state, len(texts), per_second, now)
    writes.run(conn)
    if is_probe:
        plan_probe(conn, now)
    more = crowded or is_cut or len(due) > len(texts) + len(ended)
    wait = CROWDED_WAIT_SECONDS if crowded else None
    if more and texts:
        wait = compute_wait(state, per_second, now)
    return Claim(texts, wait, tuple(ended.values()), asks_credits=is_probe and not texts)


def _list_due(conn: Connection, now: datetime, allowed: int) -> tuple[Sequence[Any], bool]:
    """The texts that are due, as many as it takes to find so many; and whether there may be more.

    A few more than wanted will do, unless most of them have to wait for others of their pairs.
    """
    window = min(WINDOW, 2 * allowed + 8)
    due = conn.execute(_select_due(), {"now": now, "window": window}).all()
    pairs = {row.pair_key or row.id for row in due if not row.blocked_by}
    if len(due) == window < WINDOW and len(pairs) < allowed:
        window = WINDOW
        due = conn.execute(_select_due(), {"now": now, "window": window}).all()
    return due, len(due) == window


@cache  # to write it anew takes longer than to run it
def _select_due() -> Select[Any]:
    others = outbound.alias()
    # At most one text of a pair is under way: a partial unique index says so.
    blocked_by = (
        select(others.c.status)
        .where(others.c.pair_key == outbound.c.pair_key, has_status(others, *UNDER_WAY))
        .limit(1)
        .scalar_subquery()
    )
    table = outbound.c
    opted_out = exists().where(opt_outs.c.number_key == table.to_key, opt_outs.c.is_out)
    return (
        select(
            table.id,
            table.pair_key,
            table.forced,
            table.origin,
            table.send_before,
            blocked_by.label("blocked_by"),
            opted_out.label("is_opted_out"),
        )
        .where(is_waiting(outbound), table.due_at <= bindparam("now"))
        .order_by(table.due_at, table.id)
        .limit(bindparam("window"))
    )


def _find_next(conn: Connection, now: datetime) -> float | None:
    """In how many seconds the next text is due; by a web process's clock one may be so at once."""
    query = select(outbound.c.due_at).where(is_waiting(outbound), outbound.c.due_at > now)
    due_at = conn.execute(query.order_by(outbound.c.due_at).limit(1)).scalar()
    return None if due_at is None else (due_at - now).total_seconds()


def _put_aside(conn: Connection, due: Sequence[Row[Any]], now: datetime) -> dict[int, StatusChange]:
    """End what is too late, and what goes to numbers that opted out since it was queued."""
    late = [row.id for row in due if row.send_before is not None and row.send_before <= now]
    bound = [row for row in due if not row.forced and row.origin != "opt-out"]
    unwanted = [row.id for row in bound if row.is_opted_out and row.id not in late]
    return {
        change.outbound_id: change
        for change in (
            *end_waiting(conn, late, OutboundEvent.OVERDUE, "it could not go out in time", now),
            *end_waiting(conn, unwanted, OutboundEvent.CANCELLED, "the number opted out", now),
        )
    }


def _choose(
    conn: Connection, due: Sequence[Row[Any]], allowed: int, now: datetime
) -> tuple[list[int], bool]:
    """The ids to take, one of each pair; and whether the whole window had to wait for its pairs."""
    chosen: list[int] = []
    waiting: dict[OutboundStatus, list[int]] = {each: [] for each in UNDER_WAY}
    pairs: set[bytes] = set()
    for row in due:
        if row.blocked_by or row.pair_key in pairs:
            waiting[OutboundStatus(row.blocked_by or OutboundStatus.SENDING)].append(row.id)
        elif len(chosen) < allowed:
            chosen.append(row.id)
            if row.pair_key is not None:
                pairs.add(row.pair_key)
    crowded = sum(map(len, waiting.values())) > WINDOW // 2
    for status, ids in waiting.items() if crowded else ():
        conn.execute(
            update(outbound)
            .where(outbound.c.id.in_(ids), is_waiting(outbound))
            .values(due_at=now + STEP_BACK[status])
        )
    return chosen, crowded


def _take(
    conn: Connection,
    writes: Writes,
    ids: Sequence[int],
    now: datetime,
    *,
    lease_seconds: float,
    is_probe: bool,
) -> list[ClaimedText]:
    if not ids:
        return []
    lease_until = now + timedelta(seconds=lease_seconds)
    taken = conn.execute(_update_taken(), {"ids": ids, "until": lease_until}).all()
    rows = sorted(taken, key=lambda row: ids.index(row.id))
    attempts = [{"outbound_id": row.id, "attempt": row.attempts, "began_at": now} for row in rows]
    writes.add(_insert_attempts(), attempts)
    return [_make_text(row, now, lease_until, is_probe=is_probe) for row in rows]


@cache
def _insert_attempts() -> BulkWrite:
    return make_bulk_insert(send_attempts, ("outbound_id", "attempt", "began_at"))


@cache
def _update_taken() -> ReturningUpdate[Any]:
    return (
        update(outbound)
        .where(outbound.c.id.in_(bindparam("ids", expanding=True)), is_waiting(outbound))
        .values(
            status=OutboundStatus.SENDING,
            attempts=outbound.c.attempts + 1,
            held_reason=None,
            lease_until=bindparam("until"),
        )
        .returning(*(outbound.c[name] for name in _TAKEN))
    )


def _make_text(
    row: Row[Any], now: datetime, lease_until: datetime, *, is_probe: bool
) -> ClaimedText:
    by_provider = row.schedule_at if row.schedule_by == "provider" else None
    return ClaimedText(
        id=row.id,
        attempt=row.attempts,
        to=row.to_number,
        list_name=row.list_name,
        group_name=row.group_name,
        source=row.source,
        source_ton=row.source_ton,
        body=row.body,
        parts=row.parts,
        # A schedule that has passed while the text waited would be refused.
        schedule_at=by_provider if by_provider and by_provider > now else None,
        validity_seconds=row.validity_seconds,
        valid_until=row.send_before,
        in_reply_to=row.in_reply_to,
        claimed_at=now,
        lease_until=lease_until,
        is_probe=is_probe,
    )
