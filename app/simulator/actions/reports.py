"""The action Report: every report type as CSV rows that are made while they are sent."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.simulator.actions.calls import Answer, Call
from app.simulator.actions.codes import RefusedError
from app.simulator.state.incoming import IncomingText
from app.simulator.state.outgoing import OutgoingText
from app.simulator.state.switches import Switches

_HEADINGS: dict[str, tuple[str, str]] = {
    "id": ("MessageID", "Message ID"),
    "username": ("Username", "User"),
    "destination": ("Destination", "Destination Address"),
    "source": ("Source", "Source Address"),
    "status": ("Status", "State"),
    "schedule": ("Schedule Date", "Scheduled"),
    "sent": ("Sent Date", "Date Sent"),
    "delivery": ("Delivery Date", "Date Delivered"),
    "messages": ("Messages", "Count"),
    "from": ("From", "Sender"),
    "number": ("Number", "Recipient"),
    "message": ("Message", "Text"),
    "received": ("Received Date", "Date Received"),
    "body": ("Body", "Text"),
    "background": ("BGSendID", "Send ID"),
    "name": ("Name", "List"),
    "finished": ("Finished Date", "Date Finished"),
    "keyword": ("Keyword", "First Word"),
}
"""Each column in the headings seen, and in likely synonyms. From `body` on nobody has seen one."""

_DATES = {"dmy": "%d/%m/%Y %H:%M:%S", "ymd": "%Y-%m-%d %H:%M:%S", "compact": "%Y%m%d%H%M%S"}
_CHUNK_CHARACTERS = 64_000


@dataclass(frozen=True, slots=True)
class _Window:
    """Whose rows a report shows, from when to when, and as of which instant."""

    names: frozenset[str]
    since: datetime
    until: datetime
    as_of: datetime
    switches: Switches

    def holds(self, instant: datetime) -> bool:
        return self.since <= instant <= self.until

    def date(self, instant: datetime | None) -> str:
        if instant is None:
            return ""
        local = instant.astimezone(ZoneInfo(self.switches.reply_zone))
        return local.strftime(_DATES[self.switches.report_dates])

    def word(self, status: str | None) -> str:
        return self.switches.rename_statuses.get(status or "", status or "")


_Row = dict[str, str]
_Rows = Callable[[Call, _Window], Iterator[_Row]]


def make_report(call: Call) -> Answer:
    report = _REPORTS.get(call.text("ReportType").strip().casefold())
    if report is None:
        raise RefusedError(-601)
    columns, rows, dated = report
    window = _read_window(call, dated)
    switches = call.switches
    headings = [_heading(column, switches) for column in columns]
    table = ([row.get(column, "") for column in columns] for row in rows(call, window))
    return Answer(rows=_write(headings, table, switches), one_line=False)


def _read_window(call: Call, dated: bool) -> _Window:
    as_of = call.world.report_instant()
    since = until = as_of
    if dated:
        since, until = call.instant("From", -504), call.instant("To", -505, fold=1)
        if until < since:
            raise RefusedError(-505)
    names = call.world.accounts.visible_names(call.account)
    return _Window(names, since, until + timedelta(microseconds=999_999), as_of, call.switches)


def _heading(column: str, switches: Switches) -> str:
    usual, other = _HEADINGS[column]
    if usual in switches.rename_headings:
        return switches.rename_headings[usual]
    return usual if switches.report_headings == "usual" else other


def _write(headings: list[str], table: Iterable[list[str]], switches: Switches) -> Iterator[str]:
    content = io.StringIO()
    writer = csv.writer(content, quoting=csv.QUOTE_ALL, lineterminator=switches.report_newline)
    if switches.report_bom:
        content.write("\ufeff")
    writer.writerow(headings)
    for fields in table:
        writer.writerow(_shorten(fields) if switches.short_rows else fields)
        if content.tell() >= _CHUNK_CHARACTERS:
            yield content.getvalue()
            content.seek(0)
            content.truncate()
    yield content.getvalue()


def _shorten(fields: list[str]) -> list[str]:
    while len(fields) > 1 and not fields[-1]:
        fields = fields[:-1]
    return fields


def _message_rows(text: OutgoingText, window: _Window) -> Iterator[_Row]:
    row = {
        "username": text.username,
        "destination": text.destination,
        "source": text.source,
        "status": window.word(text.status(window.as_of)),
        "schedule": window.date(text.due_at),
        "sent": window.date(text.reached_at("Sent", window.as_of)),
        "delivery": window.date(text.reached_at("Delivered", window.as_of)),
        "body": text.body,
    }
    ids = text.ids if window.switches.report_rows == "part" else text.ids[:1]
    for one in ids:
        yield {"id": str(one), **row}


def _messages(call: Call, window: _Window) -> Iterator[_Row]:
    yield from _filler(window)
    for text in call.world.outgoing.visible(window.names, window.as_of):
        pending = text.status(window.as_of) == "Pending"
        if window.holds(text.due_at) and (window.switches.report_pending or not pending):
            yield from _message_rows(text, window)


def _outbox(call: Call, window: _Window) -> Iterator[_Row]:
    for text in call.world.outgoing.visible(window.names, window.as_of):
        if text.status(window.as_of) == "Pending":
            yield from _message_rows(text, window)


def _failed(call: Call, window: _Window) -> Iterator[_Row]:
    bad = {"Failed", "Undeliverable", "Expired", "Command_Rejected", "Command_Failed"}
    for text in call.world.outgoing.visible(window.names, window.as_of):
        if window.holds(text.due_at) and text.status(window.as_of) in bad:
            yield from _message_rows(text, window)


def _usage(call: Call, window: _Window) -> Iterator[_Row]:
    counts: Counter[str] = Counter()
    for text in call.world.outgoing.visible(window.names, window.as_of):
        if window.holds(text.due_at):
            parts = text.parts if window.switches.report_rows == "part" else 1
            counts[window.word(text.status(window.as_of))] += parts
    for status, messages in counts.items():
        yield {"status": status, "messages": str(messages)}


def _inbound(call: Call, window: _Window) -> Iterator[_Row]:
    for filler in _filler(window):
        yield filler | {"from": filler["destination"], "number": filler["source"]}
    for text in call.world.incoming.visible(window.names, window.as_of):
        if window.holds(text.received_at):
            yield _inbound_row(text, window)


def _inbound_row(text: IncomingText, window: _Window) -> _Row:
    return {
        "id": str(text.report_id),
        "from": text.source,
        "number": text.dest,
        "message": text.body,
        "received": window.date(text.received_at),
        "status": "Unread",
        "keyword": text.body.split(maxsplit=1)[0] if text.body.strip() else "",
    }


def _background(call: Call, window: _Window) -> Iterator[_Row]:
    for one in list(call.world.outgoing.background.values()):
        if one.username in window.names and window.holds(one.started_at):
            yield {
                "background": str(one.number),
                "name": one.name,
                "schedule": window.date(one.started_at),
                "finished": window.date(one.finished_at if one.finished_at <= call.now else None),
                "messages": str(len(one.texts)),
            }


def _nothing(call: Call, window: _Window) -> Iterator[_Row]:
    """Nothing is ever old enough to be archived."""
    del call, window
    return iter(())


def _filler(window: _Window) -> Iterator[_Row]:
    """Invented rows, to make a report as long as needed."""
    date = window.date(window.since)
    long = ', with a comma, a "quote"\nand a line break'
    for index in range(window.switches.filler_rows):
        yield {
            "id": str(index + 1),
            "username": "filler",
            "destination": f"447700900{index % 1000:03d}",
            "source": "447700900001",
            "status": "Delivered",
            "schedule": date,
            "sent": date,
            "delivery": date,
            "message": f"Filler {index}{long}",
            "body": f"Filler {index}{long}",
            "received": date,
        }


_SENT = ("id", "username", "destination", "source", "status", "schedule", "sent", "delivery")
_WAITING = ("id", "username", "destination", "status", "schedule", "sent", "delivery")
_RECEIVED = ("id", "from", "number", "message", "received", "status")
_REPORTS: dict[str, tuple[tuple[str, ...], _Rows, bool]] = {
    "outbox": (_WAITING, _outbox, False),
    "messages": (_SENT, _messages, True),
    "usage": (("status", "messages"), _usage, True),
    "inboundmessages": (_RECEIVED, _inbound, True),
    "failedmessages": (_SENT, _failed, True),
    "messageswithbodies": ((*_SENT, "body"), _messages, True),
    "archivedmessages": (_SENT, _nothing, True),
    "backgroundsends": (
        ("background", "name", "schedule", "finished", "messages"),
        _background,
        True,
    ),
    "keywordmessagelist": (("id", "keyword", *_RECEIVED[1:]), _inbound, True),
}
"""Columns, rows and whether From and To count. From `messageswithbodies` on the page names none."""
