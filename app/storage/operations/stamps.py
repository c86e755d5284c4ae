"""Corrects what a clock that was set back leaves: stamps further in the future than possible."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, text

from app.domain.outbound.checks import LATEST
from app.domain.outbound.retries import LONGEST_PAUSE_SECONDS
from app.storage.db.columns import UtcTime
from app.storage.tables.inbound import messages
from app.storage.tables.operations import processes
from app.storage.tables.outbound import outbound

# No lease is taken for longer.
LONGEST_LEASE = timedelta(seconds=120)
# Checks lie on a grid of ten minutes.
LONGEST_CHECK = LATEST + timedelta(minutes=10)
# The clocks of two servers of one database may differ by less.
LEEWAY = timedelta(seconds=5)

# The sender's row first, as in every lock order. Scheduled texts, and those that wait for the next
# day, follow the right time and stay.
_CLAMPS = """
UPDATE sender SET pace_at = NULL WHERE pace_at > :lease;
UPDATE leases SET until = :now WHERE until > :lease;
UPDATE leases SET succeeded_at = :now WHERE succeeded_at > :now;
UPDATE outbound SET lease_until = :lease WHERE status = 'sending' AND lease_until > :lease;
UPDATE outbound SET due_at = :now
    WHERE status IN ('queued', 'held') AND due_at > :now
    AND (attempts = 0 AND (schedule_by IS NULL OR schedule_by = 'provider')
        OR attempts > 0 AND due_at > :retry
        AND (held_reason IS NULL OR held_reason <> 'daily-limit'));
UPDATE outbound SET send_before = send_before - (created_at - :now)
    WHERE status IN ('queued', 'held') AND created_at > :now AND schedule_at IS NULL;
UPDATE outbound SET check_at = :now
    WHERE status IN ('sent', 'uncertain') AND check_at > :now
    AND (sent_at > :now OR check_at > :check) AND (schedule_at IS NULL OR schedule_at <= :now);
UPDATE outbound SET absent_since = :now WHERE status = 'uncertain' AND absent_since > :now;
UPDATE outbound SET sent_at = :now WHERE status = 'sent' AND sent_at > :now;
-- Cooldowns and budgets count from it.
UPDATE outbound SET created_at = :now WHERE created_at > :now;
-- What a number says next must be newer than what it said before the clock was set.
UPDATE opt_outs SET created_at = :now WHERE created_at > :now;
UPDATE conversations SET last_arrived_at = :now WHERE last_arrived_at > :now;
UPDATE conversations SET updated_at = :now WHERE updated_at > :now;
UPDATE people SET merge_named_at = :now WHERE merge_named_at > :now;
UPDATE number_last_seen SET last_arrived_at = :now WHERE last_arrived_at > :now;
UPDATE contact_imports SET lease_until = :lease WHERE lease_until > :lease;
UPDATE processes SET seen_at = :now WHERE seen_at > :now
"""


def clamp_stamps(conn: Connection, now: datetime) -> None:
    """Move stamps back to now, or to the furthest future time they can have."""
    ahead = {
        "now": timedelta(),
        "lease": LONGEST_LEASE,
        "retry": timedelta(seconds=LONGEST_PAUSE_SECONDS),
        "check": LONGEST_CHECK,
    }
    for clamp in _CLAMPS.split(";"):
        names = [name for name in ahead if f":{name}" in clamp]
        typed = (bindparam(name, type_=UtcTime()) for name in names)
        times = {name: now + ahead[name] for name in names}
        conn.execute(text(clamp).bindparams(*typed), times)


def has_gone_back(conn: Connection, now: datetime) -> bool:
    """Whether anything stored has a time later than now."""
    newest_message = select(messages.c.arrived_at).order_by(messages.c.id.desc()).limit(1)
    newest_text = select(outbound.c.created_at).order_by(outbound.c.created_at.desc()).limit(1)
    newest_sign = select(func.max(processes.c.seen_at))
    stamps = [conn.execute(each).scalar() for each in (newest_message, newest_text, newest_sign)]
    return any(stamp is not None and stamp > now + LEEWAY for stamp in stamps)
