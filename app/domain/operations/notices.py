"""The text of a notification: alerts, texts that need an answer, and the daily summary in one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.domain.numbers import write_number
from app.domain.operations.alert_kinds import SEVERITIES, Severity

# How many of each a message spells out.
MOST_LINES = 20
LONGEST_LINE = 500

# Apprise's own words.
Tone = Literal["info", "success", "warning", "failure"]
_TONES: dict[Severity, Tone] = {"info": "info", "warning": "warning", "critical": "failure"}


@dataclass(frozen=True, slots=True)
class AlertNews:
    """An alert that has opened, or closed at `closed_at`; `runbook` is a path of ours."""

    kind: str
    severity: Severity
    text: str
    action: str
    runbook: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TextNews:
    """A conversation that needs an answer. The text itself stays here: others read what we send."""

    conversation_id: int
    name: str
    source: str
    dest: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a day in UTC (`day`, YYYY-MM-DD), and what is open now."""

    day: str
    counts: Sequence[tuple[str, int]]
    open_alerts: int
    unread: int


@dataclass(frozen=True, slots=True)
class News:
    """Everything that an address has not been told."""

    alerts: Sequence[AlertNews] = ()
    texts: Sequence[TextNews] = ()
    summary: Summary | None = None

    def __bool__(self) -> bool:
        return bool(self.alerts or self.texts or self.summary)


@dataclass(frozen=True, slots=True)
class Notice:
    """A message as it is sent, in plain text."""

    title: str
    body: str
    tone: Tone = "info"


def write_test(base_url: str) -> Notice:
    return Notice(
        "Letterbox: test", f"Notifications reach you here.\n\n{base_url}/notifications", "info"
    )


def write_notice(news: News, base_url: str) -> Notice:
    """The message of all the news; links lead to `base_url`."""
    parts: list[str] = []
    opened = [each for each in news.alerts if each.closed_at is None]
    closed = [each for each in news.alerts if each.closed_at is not None]
    worst_first = sorted(opened, key=lambda each: -SEVERITIES.index(each.severity))
    parts += _cut(_write_open(each, base_url) for each in worst_first)
    parts += _cut(_write_closed(each) for each in closed)
    if news.texts:
        lines = _cut(_write_text(each, base_url) for each in news.texts)
        parts.append("\n".join([f"{_count_texts(news)}:", *lines]))
    if news.summary is not None:
        parts.append(_write_summary(news.summary, base_url))
    return Notice(
        f"Letterbox: {_write_title(news, worst_first, closed)}",
        "\n\n".join(parts),
        _choose_tone(worst_first, closed),
    )


def _write_title(news: News, opened: Sequence[AlertNews], closed: Sequence[AlertNews]) -> str:
    found = []
    if len(opened) == 1:
        found.append(f"{opened[0].severity} alert {opened[0].kind}")
    elif opened:
        found.append(f"{len(opened)} alerts, {opened[0].severity} first")
    if closed:
        found.append(f"{closed[0].kind} is over" if len(closed) == 1 else f"{len(closed)} are over")
    if news.texts:
        found.append(_count_texts(news))
    if news.summary is not None:
        found.append("daily summary")
    return ", ".join(found)


def _choose_tone(opened: Sequence[AlertNews], closed: Sequence[AlertNews]) -> Tone:
    if opened:
        return _TONES[opened[0].severity]
    return "success" if closed else "info"


def _count_texts(news: News) -> str:
    count = len(news.texts)
    return "1 conversation needs an answer" if count == 1 else f"{count} conversations need answers"


def _write_open(alert: AlertNews, base_url: str) -> str:
    return (
        f"{alert.severity.upper()}: {_shorten(alert.text)}\n{_shorten(alert.action)}\n"
        f"{base_url}{alert.runbook}"
    )


def _write_closed(alert: AlertNews) -> str:
    times = f"{alert.opened_at:%Y-%m-%d %H:%M} to {alert.closed_at:%Y-%m-%d %H:%M} UTC"
    return f"OVER ({alert.kind}, {times}): {_shorten(alert.text)}"


def _write_text(text: TextNews, base_url: str) -> str:
    number = write_number(text.source)
    who = f"{text.name} ({number})" if text.name else number
    return (
        f"- {_shorten(who)} to {write_number(text.dest)}:"
        f" {base_url}/conversations/{text.conversation_id}"
    )


def _write_summary(summary: Summary, base_url: str) -> str:
    counts = [f"- {label}: {value}" for label, value in summary.counts]
    now = [
        f"- open alerts now: {summary.open_alerts}",
        f"- conversations with unread texts now: {summary.unread}",
    ]
    return "\n".join([f"Summary of {summary.day} (UTC):", *counts, *now, f"{base_url}/overview"])


def _cut(lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    yield from found[:MOST_LINES]
    if len(found) > MOST_LINES:
        yield f"… and {len(found) - MOST_LINES} more."


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE].rstrip()}…"
