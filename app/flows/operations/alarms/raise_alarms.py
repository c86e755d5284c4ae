"""Raises an alert if texts do not arrive as they should, and closes it when they do."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from app.domain.batches import cut
from app.domain.operations.alarms import LAGS, PERIOD, find_alarm_time, judge_lags, judge_old
from app.domain.outbound.states import OutboundStatus
from app.flows.inbound.reconcile import FAILED, LEASE, REPORT
from app.flows.inbound.refused_forwards import REFUSED_FORWARD, find_mended
from app.flows.operations.deferred_writes import (
    DAMAGED,
    EMPTIED,
    REFUSED,
    SPOOL_FOREIGN,
    SPOOL_MOVED,
    TOO_LARGE,
)
from app.flows.outbound.sending.sync import UNFOLLOWED
from app.flows.webhooks.read_feed import GAP
from app.storage.conversations.attention import KEPT, count_failed
from app.storage.db.database import Connection, Database
from app.storage.inbound.last_seen import list_lags, list_silences
from app.storage.inbound.reconciling import find_hindrance
from app.storage.operations.alerts import (
    STEP,
    close_alert,
    list_open_alerts,
    list_open_subjects,
    list_quiet_subjects,
    raise_alert,
)
from app.storage.operations.inspect import UNTRUSTED_PROXY
from app.storage.operations.leases import find_first_taken, find_last_success
from app.storage.operations.processes import GONE_AFTER
from app.storage.spool.quarantine import Quarantine

SILENT = "number-silent"
ZONE = "provider-timezone"
OLD = "old-texts"
FORWARDS = "forwards"
TEXTS_FAILED = "texts-failed"
FAILURES: dict[str, str] = {
    OutboundStatus.FAILED: "could not be sent",
    OutboundStatus.UNDELIVERED: "did not reach the phone",
    OutboundStatus.EXPIRED: "expired before arriving",
}
SETTING = "LETTERBOX_PROVIDER_TIMEZONE"

# After this many failed reconciliations in a row, something is wrong.
STALLED_RUNS = 3
STALLED_AFTER = timedelta(minutes=30)

# Single events have no end: their alerts close after this time without another.
MOMENTARY = {
    TOO_LARGE: timedelta(days=1),
    "late-answer": timedelta(days=7),
    EMPTIED: timedelta(days=7),
    SPOOL_FOREIGN: timedelta(minutes=10),
    "provider-id-repeated": timedelta(days=7),
    REFUSED_FORWARD: timedelta(days=7),
    SPOOL_MOVED: timedelta(days=7),
    UNTRUSTED_PROXY: timedelta(days=1),
    UNFOLLOWED: timedelta(days=1),
    GAP: timedelta(days=7),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """The alert for a subject; `text` is None if it is over."""

    kind: str
    subject: str
    text: str | None = None
    action: str = ""
    count: int = 1


async def raise_alarms(
    database: Database,
    *,
    timezone: str,
    now: datetime,
    reconciled_every: timedelta | None = None,
    started_at: datetime | None = None,
) -> bool:
    """Check how long each number has been silent and how late the newest forwards are; returns
    whether an alert changed.

    Also closes alerts about single events that have not happened again for a while. `timezone` is
    PROVIDER_TIMEZONE; `reconciled_every` is None if reconciliation is off, `started_at` is since
    when it could run. Raises Unavailable.
    """
    alarms = await database.read(_find_alarms, timezone, now)
    alarms += await database.read(_find_stalled, reconciled_every, started_at, now)
    for some in cut(alarms, STEP):
        await database.write(_tell, some, now)
    return bool(alarms)


async def close_removed(database: Database, quarantine: Quarantine, now: datetime) -> None:
    """Close the alerts of files that somebody has removed.

    Only who sees the folder knows, so each process looks for itself. Raises Unavailable.
    """
    told = await database.read(_list_kept)
    gone = await asyncio.to_thread(quarantine.find_gone, told) if told else []
    for some in cut(gone, STEP):
        await database.write(_close_kept, some, now)


def _list_kept(conn: Connection) -> list[str]:
    return sorted(list_open_subjects(conn, REFUSED) | list_open_subjects(conn, DAMAGED))


def _close_kept(conn: Connection, names: Sequence[str], now: datetime) -> None:
    for kind in (REFUSED, DAMAGED):
        for name in names:
            close_alert(conn, kind, name, now=now)


def _find_alarms(conn: Connection, timezone: str, now: datetime) -> list[Alarm]:
    quiet = [
        Alarm(kind, subject)
        for kind, kept in MOMENTARY.items()
        for subject in list_quiet_subjects(conn, kind, before=now - kept)
    ]
    mended = [Alarm(REFUSED_FORWARD, subject) for subject in find_mended(conn, now)]
    failures = _find_failures(conn)
    return [*_find_silences(conn, now), *_find_lags(conn, timezone), *quiet, *mended, *failures]


def _find_silences(conn: Connection, now: datetime) -> list[Alarm]:
    told = list_open_subjects(conn, SILENT)
    alarms = []
    silent = set()
    for each in list_silences(conn, since=now - PERIOD):
        if now < find_alarm_time(each.last_arrived_at, each.longest_gap):
            continue
        silent.add(each.number)
        # A single text has no gap, so it does not show how often others come.
        if each.number not in told and each.received > 1:
            alarms.append(
                Alarm(
                    SILENT,
                    each.number,
                    f"No text has come to {each.number} since"
                    f" {each.last_arrived_at:%Y-%m-%d %H:%M} UTC; before that, the longest pause"
                    f" within {PERIOD.days} days was {_describe(each.longest_gap)} or less.",
                    "Text the number yourself. If nothing comes, compare its forwarding URL and"
                    " auth value on the provider's page with `letterbox numbers list`, look at"
                    " /refusals, and run `letterbox reconcile` for the time since.",
                )
            )
    return alarms + [Alarm(SILENT, number) for number in sorted(told - silent)]


def _find_failures(conn: Connection) -> list[Alarm]:
    """One alert for each way in which texts fail, with how many need attention."""
    told = {each.subject: each.count for each in list_open_alerts(conn, TEXTS_FAILED)}
    return [
        _tell_failures(status, count, count - told.get(status, 0))
        for status, count in count_failed(conn).items()
        if count != told.get(status, 0)
    ]


def _tell_failures(status: str, count: int, more: int) -> Alarm:
    if not count:
        return Alarm(TEXTS_FAILED, status)
    texts = "1 text" if count == 1 else f"{count:,} texts"
    return Alarm(
        TEXTS_FAILED,
        status,
        f"{texts} {FAILURES[status]}.",
        "Open “Needs attention” in the inbox. Send each text again or mark its conversation as done"
        " there. A text to a list or group is in the outbox: open it, and mark it as dealt with."
        f" This alert closes when none is left, or {KEPT.days} days after the last failure.",
        more,
    )


def _find_lags(conn: Connection, timezone: str) -> list[Alarm]:
    lags = list_lags(conn, limit=LAGS)
    offset, old = judge_lags(lags), judge_old(lags)
    return [
        alarm
        for alarm, is_over in (
            (_tell_zone(offset, timezone, len(lags)), offset == timedelta()),
            (_tell_old(old, len(lags)), old == []),
        )
        # Opened once and closed once.
        if (alarm.text is not None or is_over)
        and (alarm.text is not None) != bool(list_open_subjects(conn, alarm.kind))
    ]


def _tell_zone(offset: timedelta | None, timezone: str, count: int) -> Alarm:
    if not offset:
        return Alarm(ZONE, SETTING)
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    shown = f"{hours} hour{'' if hours == 1 else 's'}" if hours else ""
    shown += f"{' ' if hours else ''}{minutes} minutes" if minutes else ""
    return Alarm(
        ZONE,
        SETTING,
        f"Nearly all of the newest {count} forwards arrived {shown}"
        f" {'after' if offset > timedelta() else 'before'} their receivedts: the provider's times"
        f" are not those of {timezone}.",
        f"Set {SETTING} to the zone that the provider's times are in; it is {timezone}. Until"
        " then received_at is off, and reports are asked for the wrong time.",
    )


def _tell_old(old: Sequence[timedelta] | None, count: int) -> Alarm:
    if not old:
        return Alarm(OLD, FORWARDS)
    return Alarm(
        OLD,
        FORWARDS,
        f"{len(old)} of the newest {count} forwards are old texts: they arrived"
        f" {_describe(min(old))} to {_describe(max(old))} after their receivedts. They are stored,"
        " and automatic replies depend on when they arrived.",
        "Ask whoever forwards them whether texts were held up or are sent again. Pause the rules"
        " if old texts should not be answered.",
    )


def _find_stalled(
    conn: Connection, every: timedelta | None, started_at: datetime | None, now: datetime
) -> list[Alarm]:
    """Why no reconciliation has succeeded recently; one that fails raises its own alert."""
    since = find_last_success(conn, LEASE) or find_first_taken(conn, LEASE)
    if every is None or since is None:
        return []
    if now - max(since, started_at or since) <= max(STALLED_RUNS * every, STALLED_AFTER):
        return []
    if list_open_subjects(conn, FAILED):
        return []
    reason = find_hindrance(conn, now, alive_since=now - GONE_AFTER) or "no run has ended well"
    return [
        Alarm(
            FAILED,
            REPORT,
            f"What arrived has not been compared with the provider's report since"
            f" {since:%Y-%m-%d %H:%M} UTC: {reason}.",
            "Find the cause at /readyz and in the log. Until it works, nobody notices a text"
            " that was never forwarded.",
        )
    ]


def _tell(conn: Connection, alarms: Sequence[Alarm], now: datetime) -> None:
    for alarm in alarms:
        if alarm.text is None:
            close_alert(conn, alarm.kind, alarm.subject, now=now)
        else:
            raise_alert(conn, **asdict(alarm), now=now)


def _describe(time: timedelta) -> str:
    hours = -(-time // timedelta(hours=1))
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"
