"""The sender's one row, which every claim locks: pace, pause and probe of all processes."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, select, update

from app.storage.alerts import close_alert, raise_alert
from app.storage.clock import read_clock
from app.storage.outbound_tables import sender
from app.storage.writes import BulkWrite, Writes, make_bulk_update

State = Literal["running", "paused", "stopped"]

# After an account error one message, or a look at the credits, tries again so much later.
PROBE_AFTER = timedelta(seconds=60)
# So much of the pace may be used at once: a claim then takes several messages at a high pace.
BURST_SECONDS = 0.1
# A call to many numbers is paid for once it is made: so long, at most, it keeps others waiting.
LONGEST_DEBT_SECONDS = 10.0
# The clocks of two servers of one database differ by less.
LEEWAY_SECONDS = 1.0

STOPPED_ALERT = "sender-stopped"
PAUSED_ALERT = "sender-paused"
LOW_CREDITS_ALERT = "low-credits"
ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class SenderState:
    """`paused` was done by a person, `stopped` by an error about the account.

    `credits` is the balance when it was last looked at, as a decimal number.
    """

    state: State
    reason: str | None
    changed_by: str | None
    changed_at: datetime | None
    probe_at: datetime | None
    pace_at: datetime | None
    credits: str | None
    credits_at: datetime | None


def get_sender(conn: Connection) -> SenderState:
    return SenderState(*conn.execute(_select_state()).one())


@cache
def _select_state() -> Select[Any]:
    return select(*sender.c[1:]).where(sender.c.id == 1)


def lock_sender(conn: Connection) -> tuple[SenderState, datetime]:
    """The row, held until the commit: claims come one after the other, whoever makes them.

    Beside it the database's time once it is held, for the lock may have been waited for.
    """
    if conn.dialect.name != "postgresql":
        return get_sender(conn), read_clock(conn)
    *columns, now = conn.execute(_lock_and_look()).one()
    return SenderState(*columns), now.astimezone(UTC)


@cache
def _lock_and_look() -> Select[Any]:
    return select(_select_state().with_for_update().cte("held"), func.clock_timestamp())


def count_most(per_second: float, batch: int) -> int:
    """How many numbers one call may have: `batch`, or as many as keep the next call waiting long
    enough.
    """
    return max(1, min(batch, int(per_second * LONGEST_DEBT_SECONDS)))


def count_tokens(state: SenderState, per_second: float, now: datetime) -> int:
    """How many messages the pace allows now; evenly, up to a tenth of a second's at once."""
    interval = 1 / per_second
    slack = max(0.0, BURST_SECONDS - interval)
    used = _count_used(state, per_second, now)
    return 0 if used > slack else int((slack - used) / interval + 1e-9) + 1


def compute_wait(state: SenderState, per_second: float, now: datetime) -> float:
    """Seconds until the pace allows another message."""
    slack = max(0.0, BURST_SECONDS - 1 / per_second)
    return max(0.0, _count_used(state, per_second, now) - slack)


def _count_used(state: SenderState, per_second: float, now: datetime) -> float:
    """Seconds of the pace that are used up. More than any call can use, and the clock went back."""
    used = 0.0 if state.pace_at is None else (state.pace_at - now).total_seconds()
    longest = BURST_SECONDS + max(LONGEST_DEBT_SECONDS, 1 / per_second) + LEEWAY_SECONDS
    return max(0.0, used) if used <= longest else 0.0


def spend_tokens(
    writes: Writes, state: SenderState, count: int, per_second: float, now: datetime
) -> SenderState:
    """Use up the pace of so many messages; the row must be locked."""
    used = _count_used(state, per_second, now) + count / per_second
    pace_at = now + timedelta(seconds=used)
    writes.add(_update_pace(), [{"id": 1, "pace_at": pace_at}])
    return replace(state, pace_at=pace_at)


@cache
def _update_pace() -> BulkWrite:
    return make_bulk_update(sender, ["id"], ["pace_at"])


def find_probe_wait(state: SenderState, now: datetime) -> float | None:
    """Seconds until one message may try the account again; None: now, or the clock went back."""
    wait = 0.0 if state.probe_at is None else (state.probe_at - now).total_seconds()
    longest = PROBE_AFTER.total_seconds() + LEEWAY_SECONDS
    return wait if 0 < wait <= longest else None


def plan_probe(conn: Connection, now: datetime, *, after: timedelta = PROBE_AFTER) -> None:
    """The next try after an account error comes so much later."""
    _write(conn, probe_at=now + after)


def stop_sender(conn: Connection, reason: str, now: datetime) -> None:
    """The account cannot send: nothing goes out until a probe succeeds. See `tell_stopped`."""
    state, _ = lock_sender(conn)
    if state.state == "paused":
        return
    is_new = state.state == "running"
    _write(
        conn,
        state="stopped",
        reason=reason,
        changed_by="sender",
        probe_at=now + PROBE_AFTER,
        **({"changed_at": now} if is_new else {}),
    )


def tell_stopped(conn: Connection, reason: str, now: datetime) -> None:
    """Have one alert say so. It may add an event: the transaction's last step."""
    raise_alert(
        conn,
        STOPPED_ALERT,
        ACCOUNT,
        text=f"Sending has stopped: {reason}",
        action="Put the account right. One message tries again every minute, and sending goes on"
        " by itself where that succeeds.",
        count=0,
        now=now,
    )


def resume_sender(conn: Connection, who: str, now: datetime, *, only_stopped: bool = False) -> bool:
    """Send again; with `only_stopped` a person's pause stays. Returns whether anything changed.

    `tell_works` or `tell_resumed` is to follow at the transaction's end.
    """
    state, _ = lock_sender(conn)
    if state.state == "running" or (only_stopped and state.state == "paused"):
        return False
    _write(conn, state="running", reason=None, changed_by=who, changed_at=now, probe_at=None)
    return True


def tell_works(conn: Connection, now: datetime) -> None:
    """The account works again: end the alert. It may add an event: the transaction's last step."""
    close_alert(conn, STOPPED_ALERT, ACCOUNT, now=now)


def tell_resumed(conn: Connection, now: datetime) -> None:
    """A person had sending go on: end its alerts. The transaction's last step, as above."""
    tell_works(conn, now)
    close_alert(conn, PAUSED_ALERT, ACCOUNT, now=now)


def pause_sender(conn: Connection, who: str, reason: str | None, now: datetime) -> None:
    """Nothing is sent until a person resumes it; an alert keeps that from being forgotten.

    It may add an event: the transaction's last step.
    """
    lock_sender(conn)
    _write(conn, state="paused", reason=reason, changed_by=who, changed_at=now, probe_at=None)
    raise_alert(
        conn,
        PAUSED_ALERT,
        ACCOUNT,
        text=f"Sending was paused by {who}" + (f": {reason}" if reason else "."),
        action='Let it go on when it may: POST /api/v1/sender {"state": "running"}. Texts whose'
        " time is over meanwhile expire.",
        count=0,
        now=now,
    )


def note_credits(conn: Connection, balance: Decimal, *, low_below: Decimal, now: datetime) -> None:
    """Keep the balance; an alert is open while it lies below `low_below`."""
    _write(conn, credits=f"{balance:f}", credits_at=now)
    if balance >= low_below:
        close_alert(conn, LOW_CREDITS_ALERT, ACCOUNT, now=now)
        return
    raise_alert(
        conn,
        LOW_CREDITS_ALERT,
        ACCOUNT,
        text=f"The provider's account has {balance:f} credits left.",
        action="Buy credits in NetMessenger, or set LETTERBOX_LOW_CREDITS to another number.",
        count=0,
        now=now,
    )


def _write(conn: Connection, **values: Any) -> None:
    conn.execute(update(sender).where(sender.c.id == 1).values(**values))
