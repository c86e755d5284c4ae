"""The sender's only row, which every claim locks: the pause and probe of all processes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, select, update

from app.domain.outbound.retries import ACCOUNT_REST, compute_rest, find_longest_rest
from app.domain.outbound.send_outcomes import StopCause
from app.storage.access.members import name_actor
from app.storage.db.clock import read_clock
from app.storage.db.given_values import keep_plans
from app.storage.operations.alerts import close_alert, list_open_subjects, raise_alert
from app.storage.outbound.sending.backlog import count_waiting
from app.storage.tables.outbound import sender

State = Literal["running", "paused", "stopped"]

# The clocks of a database's servers differ by less.
LEEWAY_SECONDS = 1.0

STOPPED_ALERT = "sender-stopped"
PAUSED_ALERT = "sender-paused"
LOW_CREDITS_ALERT = "low-credits"
ACCOUNT = "account"
# A provider that does not answer for this long needs a person.
TOLD_AFTER = timedelta(minutes=2)
COUNTED_WAITING = 100_000
# For a tool of PostgreSQL's, where none of our transactions can be open.
PAUSE_SQL = "UPDATE sender SET state = 'paused', reason = 'a backup was restored' WHERE id = 1;"


@dataclass(frozen=True, slots=True)
class SenderState:
    """A person has `paused` sending, or it has `stopped` for `cause`, which is None otherwise.

    `credits` is the balance as last seen, a decimal number. `failures` counts tries in a row.
    """

    state: State
    reason: str | None
    changed_by: str | None
    changed_at: datetime | None
    probe_at: datetime | None
    pace_at: datetime | None
    credits: str | None
    credits_at: datetime | None
    cause: str | None = None
    failures: int = 0


def get_sender(conn: Connection) -> SenderState:
    return SenderState(*conn.execute(_select_state()).one())


@cache
def _select_state() -> Select[Any]:
    return select(*sender.c[1:]).where(sender.c.id == 1)


def lock_sender(conn: Connection) -> tuple[SenderState, datetime]:
    """Lock the row until the commit, so that claims of all processes come one after the other.

    Also returns the database's time once it is locked, because that may have taken a while.
    """
    if conn.dialect.name != "postgresql":
        return get_sender(conn), read_clock(conn)
    *columns, now = conn.execute(_lock_and_look()).one()
    return SenderState(*columns), now.astimezone(UTC)


@cache
def _lock_and_look() -> Select[Any]:
    held = _select_state().with_for_update().cte("held")
    return select(held, func.clock_timestamp()).where(keep_plans())


def find_probe_wait(state: SenderState, now: datetime) -> float | None:
    """Seconds until a stopped sender may try again; None: now, or the clock has gone back."""
    wait = 0.0 if state.probe_at is None else (state.probe_at - now).total_seconds()
    longest = find_longest_rest(state.cause).total_seconds() + LEEWAY_SECONDS
    return wait if 0 < wait <= longest else None


def plan_probe(conn: Connection, now: datetime, *, after: timedelta = ACCOUNT_REST) -> None:
    """A stopped sender tries again after this time."""
    _write(conn, probe_at=now + after)


def stop_sender(
    conn: Connection,
    reason: str,
    now: datetime,
    cause: StopCause = StopCause.ACCOUNT,
    *,
    is_probe: bool = False,
    asked_seconds: float | None = None,
) -> None:
    """Send nothing until a probe succeeds; `tell_stopped` must follow at the transaction's end.

    `is_probe`: the try to resume has failed, so its cause replaces the old one. Other calls were
    made before it stopped: they only count if they show an account error or ask for a longer pause.
    """
    state, _ = lock_sender(conn)
    if state.state == "paused":
        return
    is_new = state.state == "running"
    if not (is_new or is_probe or cause in {StopCause.ACCOUNT, state.cause}):
        return
    failures = state.failures + 1 if is_new or is_probe else state.failures
    probe_at = now + compute_rest(cause, failures, asked_seconds)
    if cause == state.cause and not is_probe and state.probe_at is not None:
        probe_at = max(probe_at, state.probe_at)
    _write(
        conn,
        state="stopped",
        cause=cause,
        failures=failures,
        reason=reason,
        changed_by="sender",
        probe_at=probe_at,
        **({"changed_at": now} if is_new else {}),
    )


def tell_stopped(conn: Connection, now: datetime) -> None:
    """Raise one alert that says why sending has stopped, unless it may resume in a moment.

    An account error is certain at once, others after a second try or two minutes. It may add an
    event, so it must be the transaction's last step.
    """
    state = get_sender(conn)
    if state.state != "stopped" or state.cause not in _SUBJECTS or not _is_lasting(state, now):
        return
    subject, action = _SUBJECTS[state.cause]
    waiting = count_waiting(conn, at_most=COUNTED_WAITING)
    waits = "1 text waits" if waiting == 1 else f"{waiting} texts wait"
    since = "" if state.changed_at is None else f" since {state.changed_at:%Y-%m-%d %H:%M} UTC"
    for other in list_open_subjects(conn, STOPPED_ALERT) - {subject}:
        close_alert(conn, STOPPED_ALERT, other, now=now)
    raise_alert(
        conn,
        STOPPED_ALERT,
        subject,
        text=f"Sending has stopped{since}, and {waits}: {state.reason}",
        action=f"{action} Sending resumes once that works.",
        count=0,
        now=now,
    )


def _is_lasting(state: SenderState, now: datetime) -> bool:
    if state.cause in {StopCause.CONFIGURATION, StopCause.UNCLEAR}:
        return state.failures > 1
    is_certain = state.cause == StopCause.ACCOUNT
    return is_certain or state.changed_at is None or now - state.changed_at >= TOLD_AFTER


# What the alert is about, and what to do.
_PROVIDER = "provider"
_SUBJECTS: dict[str, tuple[str, str]] = {
    StopCause.ACCOUNT: (ACCOUNT, "Put the account right: one message tries it every minute."),
    StopCause.CONFIGURATION: (
        "configuration",
        "Set LETTERBOX_PROVIDER_URL to the API's address; look for a proxy or sign-in page.",
    ),
    StopCause.UNREACHABLE: (
        _PROVIDER,
        "Check this machine's network, name server and clock, and whether the provider is up.",
    ),
    StopCause.UNCLEAR: (
        _PROVIDER,
        "Ask the provider why calls get no proper answer; now and then one text tries again.",
    ),
    StopCause.TOO_MANY_CALLS: (
        _PROVIDER,
        "Lower LETTERBOX_SEND_PER_SECOND, or ask the provider for a higher limit.",
    ),
}


def let_one_try(conn: Connection, now: datetime) -> None:
    """The provider answers again: one text is tried, and the others follow if it is taken."""
    _write(conn, cause=StopCause.TRIAL, probe_at=now)


def resume_sender(conn: Connection, who: str, now: datetime, *, only_stopped: bool = False) -> bool:
    """Send again; with `only_stopped` a person's pause stays. Returns whether anything changed.

    `tell_works` or `tell_resumed` must follow at the transaction's end.
    """
    state, _ = lock_sender(conn)
    if state.state == "running" or (only_stopped and state.state == "paused"):
        return False
    _set_state(conn, "running", None, who, now)
    return True


def tell_works(conn: Connection, now: datetime) -> None:
    """Close the alerts, because sending works again. The transaction's last step."""
    for subject in list_open_subjects(conn, STOPPED_ALERT):
        close_alert(conn, STOPPED_ALERT, subject, now=now)


def tell_resumed(conn: Connection, now: datetime) -> None:
    """Close the alerts, because a person has resumed sending. The transaction's last step."""
    tell_works(conn, now)
    close_alert(conn, PAUSED_ALERT, ACCOUNT, now=now)


def pause_sender(conn: Connection, who: str, reason: str | None, now: datetime) -> None:
    """Send nothing until a person resumes it; an alert is a reminder. The last step, as above."""
    lock_sender(conn)
    _set_state(conn, "paused", reason, who, now)
    raise_alert(
        conn,
        PAUSED_ALERT,
        ACCOUNT,
        text=f"{_begin(name_actor(conn, who))} paused sending" + (f": {reason}" if reason else "."),
        action="Resume sending on the overview when texts may go out again. Texts whose time runs"
        " out in the meantime expire.",
        count=0,
        now=now,
    )


def _begin(text: str) -> str:
    """As the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def note_credits(conn: Connection, balance: Decimal, *, low_below: Decimal, now: datetime) -> None:
    """Store the balance; an alert is open while it is below `low_below`."""
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


def _set_state(conn: Connection, state: State, reason: str | None, who: str, now: datetime) -> None:
    """As a person says, or as the provider shows: whatever was doubtful before is settled."""
    _write(
        conn,
        state=state,
        cause=None,
        failures=0,
        reason=reason,
        changed_by=who,
        changed_at=now,
        probe_at=None,
    )


def _write(conn: Connection, **values: Any) -> None:
    conn.execute(update(sender).where(sender.c.id == 1).values(**values))
