"""Exports messages as CSV or lines of JSON, page by page, in constant memory."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal

from app.domain.messages import MERGE_FIELDS
from app.domain.queries import MessageFilter
from app.domain.sheets import make_cell, write_rows
from app.storage.database import Database
from app.storage.search import Message, feed_messages, list_messages

Order = Literal["desc", "asc"]
# A message as programs see it, ready for JSON.
Render = Callable[[Message], Mapping[str, Any]]

PAGE_ROWS = 500

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


async def write_csv(
    pages: AsyncIterator[Sequence[Message]], render: Render
) -> AsyncIterator[bytes]:
    """UTF-8 with a heading, a chunk a page; safe to open in a spreadsheet."""
    heading = write_rows([COLUMNS])
    async for page in pages:
        yield heading + write_rows([_make_row(render(message)) for message in page])
        heading = b""
    if heading:
        yield heading


async def write_jsonl(
    pages: AsyncIterator[Sequence[Message]], render: Render
) -> AsyncIterator[bytes]:
    """One JSON object a line, a chunk a page."""
    async for page in pages:
        lines = [json.dumps(render(message), ensure_ascii=False) for message in page]
        yield "".join(f"{line}\n" for line in lines).encode()


def _make_row(shown: Mapping[str, Any]) -> list[str]:
    extra = json.dumps(shown["extra"], ensure_ascii=False) if shown["extra"] else ""
    return [
        *(make_cell(shown[name]) for name in _PLAIN_COLUMNS),
        *(make_cell(shown["merge_fields"].get(name)) for name in MERGE_FIELDS),
        extra,
        " ".join(shown["problems"]),
        make_cell(shown["read_at"]),
        make_cell(shown["handled_at"]),
    ]
