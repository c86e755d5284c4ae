"""Raises an alarm where the way in looks broken, and ends it where that is over."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.alarms import LAGS, PERIOD, find_alarm_time, judge_lags
from app.flows.notices import DAMAGED, EMPTIED, REFUSED, SPOOL_FOREIGN, SPOOL_MOVED, TOO_LARGE
from app.flows.refused_forwards import REFUSED_FORWARD, find_mended
from app.storage.alerts import (
    STEP,
    close_alert,
    list_open_subjects,
    list_quiet_subjects,
    raise_alert,
)
from app.storage.arrivals import list_lags, list_silences
from app.storage.database import Connection, Database
from app.storage.quarantine import Quarantine

SILENT = "number-silent"
ZONE = "provider-timezone"
SETTING = "LETTERBOX_PROVIDER_TIMEZONE"

# What happens at one moment has no end of its own: it is over when it has not come again so long.
MOMENTARY = {
    TOO_LARGE: timedelta(days=1),
    "late-answer": timedelta(days=7),
    EMPTIED: timedelta(days=7),
    REFUSED_FORWARD: timedelta(days=7),
    SPOOL_MOVED: timedelta(days=7),
    SPOOL_FOREIGN: timedelta(minutes=10),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is to be told of a subject; `text` is None where it is over."""

    kind: str
    subject: str
    text: str | None = None
    action: str = ""


async def raise_alarms(database: Database, *, timezone: str, now: datetime) -> bool:
    """Look at every number's silence and at the newest forwards' lags; returns whether it told.

    Alerts of what happened at one moment end here, too, once that has not come again for a while.
    `timezone` is PROVIDER_TIMEZONE. Raises Unavailable.
    """
    alarms = await database.read(_find_alarms, timezone, now)
    for start in range(0, len(alarms), STEP):
        await database.write(_tell, alarms[start : start + STEP], now)
    return bool(alarms)


async def close_removed(database: Database, quarantine: Quarantine, now: datetime) -> None:
    """End the alerts of files that somebody has looked at and removed.

    Only who sees the folder knows, so each process looks for itself. Raises Unavailable.
    """
    told = await database.read(_list_kept)
    gone = await asyncio.to_thread(quarantine.find_gone, told) if told else []
    for start in range(0, len(gone), STEP):
        await database.write(_close_kept, gone[start : start + STEP], now)


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
    return [*_find_silences(conn, now), *_find_lag(conn, timezone), *quiet, *mended]


def _find_silences(conn: Connection, now: datetime) -> list[Alarm]:
    told = list_open_subjects(conn, SILENT)
    alarms = []
    silent = set()
    for each in list_silences(conn, since=now - PERIOD):
        if now < find_alarm_time(each.last_arrived_at, each.longest_gap):
            continue
        silent.add(each.number)
        # One text makes no gap, so it says nothing of how often others come.
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


def _find_lag(conn: Connection, timezone: str) -> list[Alarm]:
    hours = judge_lags(list_lags(conn, limit=LAGS))
    is_told = bool(list_open_subjects(conn, ZONE))
    if hours is None or bool(hours) == is_told:
        return []
    if not hours:
        return [Alarm(ZONE, SETTING)]
    count = f"{abs(hours)} hour{'' if abs(hours) == 1 else 's'}"
    return [
        Alarm(
            ZONE,
            SETTING,
            f"The newest forwards arrived {count} {'after' if hours > 0 else 'before'} their"
            f" receivedts, all alike: the provider's times are not those of {timezone}.",
            f"Set {SETTING} to the zone that the provider's times are in; it is {timezone}. Until"
            " then received_at is off, and reports are asked for the wrong time.",
        )
    ]


def _tell(conn: Connection, alarms: Sequence[Alarm], now: datetime) -> None:
    for alarm in alarms:
        if alarm.text is None:
            close_alert(conn, alarm.kind, alarm.subject, now=now)
        else:
            raise_alert(
                conn, alarm.kind, alarm.subject, text=alarm.text, action=alarm.action, now=now
            )


def _describe(time: timedelta) -> str:
    hours = -(-time // timedelta(hours=1))
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"
