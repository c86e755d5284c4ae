"""Exports messages and outgoing texts as CSV or lines of JSON, in constant memory."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from app.domain.csv_safety import make_cell, write_rows
from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.inbound.queries import MessageFilter
from app.storage.db.database import Database
from app.storage.inbound.search import Message, feed_messages, list_messages
from app.storage.outbound.lists import OutboundFilter, Place, list_outbound
from app.storage.outbound.texts import OutboundText

Order = Literal["desc", "asc"]
Item = TypeVar("Item")

# Small, because forwards wait while a page is made.
PAGE_ROWS = 100

_PLAIN_COLUMNS = (
    "id",
    "provider_id",
    "source",
    "dest",
    "body",
    "received_at",
    "received_raw",
    "arrived_at",
    "stored_at",
    "via",
)
COLUMNS = (
    *_PLAIN_COLUMNS,
    *(f"mm.{name}" for name in MERGE_FIELDS),
    "extra",
    "problems",
    "read_at",
    "handled_at",
    "conversation_id",
)

OUTBOUND_COLUMNS = (
    "id",
    "to",
    "list",
    "group",
    "recipients",
    "source",
    "body",
    "parts",
    "status",
    "held_reason",
    "provider_status",
    "provider_ids",
    "background_ids",
    "error.code",
    "error.text",
    "in_reply_to",
    "rule_id",
    "attempts",
    "schedule_at",
    "send_before",
    "created_at",
    "sent_at",
    "settled_at",
    "conversation_id",
    "reference",
    "metadata",
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """How the API's objects become rows of cells."""

    columns: Sequence[str]
    make_row: Callable[[Mapping[str, Any]], list[str]]


def _make_message_row(shown: Mapping[str, Any]) -> list[str]:
    extra = json.dumps(shown["extra"], ensure_ascii=False) if shown["extra"] else ""
    return [
        *(make_cell(shown[name]) for name in _PLAIN_COLUMNS),
        *(make_cell(shown["merge_fields"].get(name)) for name in MERGE_FIELDS),
        make_cell(extra),
        " ".join(shown["problems"]),
        make_cell(shown["read_at"]),
        make_cell(shown["handled_at"]),
        make_cell(shown["conversation_id"]),
    ]


def _make_outbound_row(shown: Mapping[str, Any]) -> list[str]:
    error = shown["error"] or {}
    joined = {name: " ".join(shown[name]) for name in ("provider_ids", "background_ids")}
    counts = shown["recipients"] or {}
    given = {
        **shown,
        **joined,
        "recipients": " ".join(f"{name}:{count}" for name, count in counts.items()),
        "metadata": json.dumps(shown["metadata"], ensure_ascii=False) if shown["metadata"] else "",
        "error.code": error.get("code"),
        "error.text": error.get("text"),
    }
    cells = (given[name] for name in OUTBOUND_COLUMNS)
    return [str(cell) if isinstance(cell, int) else make_cell(cell) for cell in cells]


MESSAGES = Sheet(COLUMNS, _make_message_row)
OUTBOUND = Sheet(OUTBOUND_COLUMNS, _make_outbound_row)


async def read_pages(
    database: Database, wanted: MessageFilter, *, order: Order = "desc"
) -> AsyncIterator[Sequence[Message]]:
    """Every message that matches, each page in a read of its own: a snapshot over hours would
    keep the database from tidying up.

    With `asc` it ends where no message follows. Raises Unavailable.
    """
    place: int | None = None if order == "desc" else 0
    while True:
        if order == "desc":
            page = await database.read(list_messages, wanted, before=place, limit=PAGE_ROWS)
            ends = page.next is None
        else:
            page = await database.read(feed_messages, wanted, after=place or 0, limit=PAGE_ROWS)
            ends = page.next == place
        if page.messages:
            yield page.messages
        if ends:
            return
        place = page.next


async def read_outbound_pages(
    database: Database, wanted: OutboundFilter
) -> AsyncIterator[Sequence[OutboundText]]:
    """The same for outgoing texts, newest first."""
    place: Place | None = None
    while True:
        page = await database.read(list_outbound, wanted, before=place, limit=PAGE_ROWS)
        if page.texts:
            yield page.texts
        place = page.next
        if place is None:
            return


async def write_csv(
    pages: AsyncIterator[Sequence[Item]],
    render: Callable[[Item], Mapping[str, Any]],
    sheet: Sheet = MESSAGES,
) -> AsyncIterator[bytes]:
    """UTF-8 with a heading, one chunk per page; safe to open in a spreadsheet."""
    heading = write_rows([sheet.columns])
    async for page in pages:
        yield heading + write_rows([sheet.make_row(render(item)) for item in page])
        heading = b""
    if heading:
        yield heading


async def write_jsonl(
    pages: AsyncIterator[Sequence[Item]], render: Callable[[Item], Mapping[str, Any]]
) -> AsyncIterator[bytes]:
    """One JSON object per line, one chunk per page."""
    async for page in pages:
        lines = [json.dumps(render(item), ensure_ascii=False) for item in page]
        yield "".join(f"{line}\n" for line in lines).encode()
