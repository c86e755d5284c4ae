"""Exports messages and outgoing texts as CSV or lines of JSON, in constant memory."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from app.domain.csv_safety import Cell, write_csv
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

# Dots lead into objects.
MESSAGE_COLUMNS = (
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
    "batch_id",
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


def write_shown(
    pages: AsyncIterator[Sequence[Item]],
    show: Callable[[Item], Mapping[str, Any]],
    columns: Sequence[str],
) -> AsyncGenerator[bytes]:
    """CSV of the objects that programs see."""

    def make_row(item: Item) -> list[Cell]:
        shown = show(item)
        return [_make_cell(shown, column) for column in columns]

    return write_csv(columns, pages, make_row)


async def write_jsonl(
    pages: AsyncIterator[Sequence[Item]], show: Callable[[Item], Mapping[str, Any]]
) -> AsyncGenerator[bytes]:
    """One JSON object a line, a chunk a page."""
    async for page in pages:
        lines = [json.dumps(show(item), ensure_ascii=False) for item in page]
        yield "".join(f"{line}\n" for line in lines).encode()


def _make_cell(shown: Mapping[str, Any], column: str) -> Cell:
    value: Any = shown
    for name in column.split("."):
        value = (value or {}).get("merge_fields" if name == "mm" else name)
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, dict) and column == "recipients":
        return " ".join(f"{name}:{count}" for name, count in value.items())
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    cell: Cell = value
    return cell
