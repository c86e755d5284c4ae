"""Collects what an address has not been told, from the feed of events."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.domain.operations.notices import AlertNews, News, Summary, TextNews
from app.domain.operations.notify_addresses import find_summary_day, is_quiet
from app.storage.conversations.unanswered import count_unread_conversations, find_unanswered
from app.storage.db.database import Connection
from app.storage.operations.alerts import count_open_alerts, get_alerts
from app.storage.operations.events import Event, read_event_bounds, read_events_of
from app.storage.operations.notify_addresses import NotifyAddress, Progress
from app.storage.operations.stats import count_days

# How many events of a kind one message looks at; the next message goes on.
MOST_EVENTS = 5_000
COUNTED_CONVERSATIONS = 10_000

# The counts of a summary, each with its label.
_COUNTED = (
    ("received", "texts received"),
    ("replied", "texts answered automatically"),
    ("sent", "texts sent"),
    ("delivered", "texts delivered"),
    ("undelivered", "texts not delivered"),
    ("failed", "texts failed"),
    ("expired", "texts expired"),
)

# The events that news are made of.
ALERTS = ("alert", "alert-closed")
TEXTS = ("message", "replay")


@dataclass(frozen=True, slots=True)
class Collected:
    """News, and how far an address is once it has been told.

    `is_complete`: every event was looked at that may be told now. `skips_alerts`: there were alerts
    that it need not hear of.
    """

    news: News
    progress: Progress
    is_complete: bool
    skips_alerts: bool


def collect_news(conn: Connection, address: NotifyAddress, now: datetime) -> Collected:
    """Quiet hours hold back texts, and nothing else."""
    # First: what is committed meanwhile is for the next message.
    _, newest = read_event_bounds(conn)
    wishes = address.wishes
    alerts, alerts_after = _read(conn, ALERTS, address.alerts_after, newest, wanted=wishes.alerts)
    texts: list[Event] = []
    texts_after, is_held = address.texts_after, wishes.texts and is_quiet(wishes, now)
    if not is_held:
        texts, texts_after = _read(conn, TEXTS, texts_after, newest, wanted=wishes.texts)
    day = find_summary_day(address.schedule, now)
    news = News(
        _find_alerts(conn, alerts, address),
        _find_texts(conn, texts, wishes.numbers),
        None if day is None else _summarise(conn, day),
    )
    told_on = address.summary_on if day is None else day.isoformat()
    return Collected(
        news,
        Progress(alerts_after, texts_after, told_on),
        is_complete=alerts_after == newest and (is_held or texts_after == newest),
        skips_alerts=bool(alerts) and not news.alerts,
    )


def _read(
    conn: Connection, kinds: Sequence[str], after: int, newest: int, *, wanted: bool
) -> tuple[list[Event], int]:
    """The events of some kinds, and up to which id there are no others."""
    if not wanted:
        return [], newest
    found = [
        event
        for event in read_events_of(conn, kinds, after=after, limit=MOST_EVENTS)
        if event.id <= newest
    ]
    return found, found[-1].id if len(found) == MOST_EVENTS else newest


def _find_alerts(
    conn: Connection, events: Sequence[Event], address: NotifyAddress
) -> list[AlertNews]:
    """Each alert once, as it is now. Nobody is told that telling them has failed."""
    ids = sorted({event.subject_id for event in events})
    found = get_alerts(conn, ids) if ids else {}
    return [
        AlertNews(
            each.kind,
            each.severity,
            each.text,
            each.action,
            each.runbook,
            each.opened_at,
            each.closed_at,
        )
        for each in (found[alert_id] for alert_id in ids if alert_id in found)
        if each.subject != address.subject
    ]


def _find_texts(
    conn: Connection, events: Sequence[Event], numbers: Sequence[str]
) -> list[TextNews]:
    ids = sorted({event.subject_id for event in events})
    found = find_unanswered(conn, ids, numbers) if ids else []
    return [TextNews(each.conversation_id, each.name, each.source, each.dest) for each in found]


def _summarise(conn: Connection, today: date) -> Summary:
    day = (today - timedelta(days=1)).isoformat()
    days = count_days(conn, since=day, until=today.isoformat(), number=None)
    total: Counter[str] = sum((each.counts for each in days), Counter())
    return Summary(
        day,
        [(label, total[name]) for name, label in _COUNTED],
        count_open_alerts(conn),
        count_unread_conversations(conn, at_most=COUNTED_CONVERSATIONS),
    )
