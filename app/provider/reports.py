"""The provider's reports as typed rows, their columns found by heading."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.domain.outbound.statuses import ProviderStatus, read_status
from app.provider.tables import Table, find_columns
from app.provider.times import ReportTime, read_report_time

MESSAGE_SYNONYMS = {
    "message_id": ("messageid", "msgid", "id"),
    "destination": (
        "destination",
        "destinationaddress",
        "dest",
        "to",
        "number",
        "recipient",
        "msisdn",
    ),
    "source": ("source", "sourceaddress", "from", "sender", "originator"),
    "status": ("status", "messagestatus", "state"),
    "scheduled": ("scheduledate", "scheduleddate", "scheduled", "scheduletime", "scheduledtime"),
    "sent": ("sentdate", "sent", "senttime", "datesent"),
}
INBOUND_SYNONYMS = {
    "message_id": ("messageid", "msgid", "id"),
    "source": ("from", "source", "sourceaddress", "sender", "originator"),
    "dest": (
        "number",
        "to",
        "dest",
        "destination",
        "destinationaddress",
        "recipient",
        "vmn",
        "msisdn",
    ),
    "body": ("message", "body", "msg", "text", "messagebody", "content"),
    "received": (
        "receiveddate",
        "received",
        "receivedts",
        "receivedtime",
        "datereceived",
        "date",
        "timestamp",
    ),
}


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A text that we sent, from Messages, Outbox or FailedMessages.

    Missing fields are ""; `source` is None if the report has no such column (Outbox).
    """

    message_id: str
    destination: str
    source: str | None
    status: ProviderStatus
    scheduled: ReportTime
    sent: ReportTime


@dataclass(frozen=True, slots=True)
class InboundRow:
    """A text that came in: `source` wrote `body` to our number `dest`."""

    message_id: str
    source: str
    dest: str
    body: str
    received: ReportTime


async def read_messages(
    table: Table,
    zone: ZoneInfo,
    *,
    needed: Iterable[str] = ("message_id", "destination", "status"),
) -> AsyncIterator[MessageRow]:
    """The rows of Messages or Outbox; `needed` are the columns that must be there.

    Raises MissingColumns before the first row.
    """
    places = find_columns(table.headings, MESSAGE_SYNONYMS, needed if table.headings else ())
    message_id, destination, source, status, scheduled, sent = (
        _make_picker(places.get(column)) for column in MESSAGE_SYNONYMS
    )
    has_source = "source" in places
    async for row in table:
        yield MessageRow(
            message_id(row).strip(),
            destination(row).strip(),
            source(row).strip() if has_source else None,
            read_status(status(row)),
            read_report_time(scheduled(row), zone),
            read_report_time(sent(row), zone),
        )


async def read_inbound(table: Table, zone: ZoneInfo) -> AsyncIterator[InboundRow]:
    """The rows of InboundMessages. Raises MissingColumns before the first row."""
    needed = INBOUND_SYNONYMS if table.headings else ()
    places = find_columns(table.headings, INBOUND_SYNONYMS, needed)
    message_id, source, dest, body, received = (
        _make_picker(places.get(column)) for column in INBOUND_SYNONYMS
    )
    async for fields in table:
        row = _join_body(fields, len(table.headings), places.get("body", 0))
        yield InboundRow(
            message_id(row).strip(),
            source(row).strip(),
            dest(row).strip(),
            body(row),
            read_report_time(received(row), zone),
        )


def _join_body(row: list[str], width: int, place: int) -> list[str]:
    """Repair a row that is too long because its text has commas without quotes."""
    end = place + 1 + len(row) - width
    return [*row[:place], ",".join(row[place:end]), *row[end:]] if len(row) > width else row


def _make_picker(place: int | None) -> Callable[[Sequence[str]], str]:
    if place is None:
        return lambda _row: ""
    return lambda row: row[place]
