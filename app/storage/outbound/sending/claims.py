"""Claims the texts that a process sends in its next calls."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Update, bindparam, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import LOOK_FIRST
from app.domain.outbound.states import OutboundStatus
from app.domain.outbound.transitions import OutboundEvent
from app.storage.db.columns import UtcTime
from app.storage.db.given_values import is_among, pad_values
from app.storage.db.writes import BulkWrite, make_bulk_insert
from app.storage.outbound.history import StatusChange
from app.storage.outbound.sending.due import choose_calls, find_next, list_due
from app.storage.outbound.sending.expiry import end_waiting
from app.storage.outbound.sending.pace import compute_wait, count_most, count_tokens, spend_tokens
from app.storage.outbound.sending.sender import SenderState, find_probe_wait, plan_probe
from app.storage.tables.outbound import is_waiting, outbound, send_attempts, sender

CROWDED_WAIT_SECONDS = 0.02
# What a call needs to know of its text: reading all columns would take longer than the rest.
_AS_QUEUED = ("id", "list_name", "group_name", "source", "source_ton", "body", "validity_seconds")
_TAKEN = (*_AS_QUEUED, "attempts", "to_number", "schedule_at", "schedule_by", "send_before")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedText(OutgoingText):
    """A text for one call. Its result is recorded only while `attempt` is the text's last one.

    `schedule_at` is given where the provider is to keep the schedule. `is_probe`: it shows whether
    the account works again.
    """

    id: int
    attempt: int
    to: str | None
    list_name: str | None
    group_name: str | None
    valid_until: datetime
    claimed_at: datetime
    is_probe: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """`calls` have one text each, or several texts of one request to many numbers.

    `wait_seconds` is when another claim may find more; None: when something new is queued. `ended`
    are texts that expired or were cancelled here; their events are still to be added.
    `asks_credits`: the account should be tried by its credits, because there is no text to try it
    with, or none should be risked. `is_paused`: a person has paused sending.
    """

    calls: list[tuple[ClaimedText, ...]]
    wait_seconds: float | None
    ended: Sequence[StatusChange] = ()
    asks_credits: bool = False
    is_paused: bool = False

    @property
    def texts(self) -> list[ClaimedText]:
        return [text for call in self.calls for text in call]


def claim_texts(
    conn: Connection,
    state: SenderState,
    now: datetime,
    *,
    limit: int,
    per_second: float,
    batch: int,
    lease_seconds: float,
) -> Claim:
    """Take due texts for up to `limit` calls, as the rate limit, a pause and the texts' pairs
    allow.

    Texts of one request to many numbers share a call, at most `batch` of them. `state` is the
    sender's, whose row must be locked. Texts that are too late expire here, and those to numbers
    that opted out are cancelled: their events are added at the transaction's end.
    """
    if state.state == "paused":
        return Claim([], None, is_paused=True)
    is_probe = state.state == "stopped"
    if is_probe and (wait := find_probe_wait(state, now)):
        return Claim([], wait)
    if is_probe and state.cause in LOOK_FIRST:
        plan_probe(conn, now)
        return Claim([], None, asks_credits=True)
    allowed = 1 if is_probe else count_tokens(state, per_second, now)
    if allowed < 1:
        return Claim([], compute_wait(state, per_second, now))
    limit = min(1 if is_probe else limit, allowed)
    most = 1 if is_probe else count_most(per_second, batch)
    # The last call may have more than the rate limit allows now.
    numbers = min(limit * most, allowed - 1 + most)
    due, is_cut = list_due(conn, now, calls=limit, numbers=numbers)
    if not due and not is_probe:
        return Claim([], find_next(conn, now))
    ended = _put_aside(conn, due, now)
    left = [row for row in due if row.id not in ended]
    chosen, crowded = choose_calls(conn, left, now, calls=limit, allowed=allowed, most=most)
    # A text that somebody withdraws at this moment uses up its share of the pace.
    state = spend_tokens(state, sum(map(len, chosen)), per_second, now)
    until = now + timedelta(seconds=lease_seconds)
    given = {"now": now, "until": until, "paced": state.pace_at}
    calls = _take(conn, chosen, given, is_probe=is_probe)
    taken = sum(map(len, calls))
    if is_probe:
        plan_probe(conn, now)
    more = crowded or is_cut or len(due) > taken + len(ended)
    wait = CROWDED_WAIT_SECONDS if crowded else None
    if more and taken:
        wait = compute_wait(state, per_second, now)
    return Claim(calls, wait, tuple(ended.values()), asks_credits=is_probe and not taken)


def _put_aside(conn: Connection, due: Sequence[Row[Any]], now: datetime) -> dict[int, StatusChange]:
    """End texts that are too late, and those to numbers that have opted out since."""
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


def _take(
    conn: Connection,
    chosen: Sequence[Sequence[int]],
    given: Mapping[str, Any],
    *,
    is_probe: bool,
) -> list[tuple[ClaimedText, ...]]:
    """Begin an attempt of each text until the lease ends, and store how far the pace is used up."""
    ids = [each for call in chosen for each in call]
    if not ids:
        return []
    take = _take_at_once if conn.dialect.name == "postgresql" else _take_in_steps
    rows = {row.id: row for row in take(conn, {"ids": pad_values(ids), **given})}
    found, now = [rows[each] for each in ids if each in rows], given["now"]
    texts = {row.id: _make_text(row, now, is_probe=is_probe) for row in found}
    return [
        tuple(alike)
        for call in chosen
        for alike in _group_alike([texts[each] for each in call if each in texts])
    ]


def _group_alike(call: Sequence[ClaimedText]) -> Iterable[list[ClaimedText]]:
    """A text that somebody has edited since it was chosen gets a call of its own."""
    groups: dict[Hashable, list[ClaimedText]] = {}
    for text in call:
        groups.setdefault((text.body, text.schedule_at), []).append(text)
    return groups.values()


def _take_at_once(conn: Connection, given: Mapping[str, Any]) -> Sequence[Row[Any]]:
    return conn.execute(_take_all(), given).all()


@cache
def _take_all() -> Select[Any]:
    """One statement, because each costs a round trip."""
    taken = _update_taken("postgresql").cte("taken")
    begun = select(taken.c.id, taken.c.attempts, bindparam("now", type_=UtcTime()))
    columns = ["outbound_id", "attempt", "began_at"]
    begins = insert(send_attempts).from_select(columns, begun).cte("begins")
    return select(taken).add_cte(begins, _update_pace().cte("paces"))


def _take_in_steps(conn: Connection, given: Mapping[str, Any]) -> Sequence[Row[Any]]:
    now = given["now"]
    rows = conn.execute(_update_taken("sqlite"), given).all()
    attempts = [{"outbound_id": row.id, "attempt": row.attempts, "began_at": now} for row in rows]
    if attempts:
        _insert_attempts().run(conn, attempts)
        conn.execute(_update_pace(), {"paced": given["paced"]})
    return rows


@cache
def _insert_attempts() -> BulkWrite:
    return make_bulk_insert(send_attempts, ("outbound_id", "attempt", "began_at"))


@cache
def _update_pace() -> Update:
    return update(sender).where(sender.c.id == 1).values(pace_at=bindparam("paced"))


@cache
def _update_taken(dialect: str) -> ReturningUpdate[Any]:
    return (
        update(outbound)
        .where(
            is_among(dialect, outbound.c.id, "ids"),
            is_waiting(outbound),
            # Somebody may have put it off since it was chosen.
            outbound.c.due_at <= bindparam("now", type_=UtcTime()),
        )
        .values(
            status=OutboundStatus.SENDING,
            attempts=outbound.c.attempts + 1,
            held_reason=None,
            lease_until=bindparam("until"),
        )
        .returning(*(outbound.c[name] for name in _TAKEN))
    )


def _make_text(row: Row[Any], now: datetime, *, is_probe: bool) -> ClaimedText:
    by_provider = row.schedule_at if row.schedule_by == "provider" else None
    return ClaimedText(
        **{name: getattr(row, name) for name in _AS_QUEUED},
        attempt=row.attempts,
        to=row.to_number,
        # The provider would refuse a schedule that has passed while the text waited.
        schedule_at=by_provider if by_provider and by_provider > now else None,
        valid_until=row.send_before,
        claimed_at=now,
        is_probe=is_probe,
    )
