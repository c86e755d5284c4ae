"""Reads an uploaded file of recipients: CSV as spreadsheets save it, in constant memory."""

import asyncio
import codecs
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.domain.errors import InvalidInput
from app.domain.numbers import read_number
from app.domain.outbound.batch_rows import MOST_COLUMNS, MOST_ROWS, NUMBER, Columns, Row
from app.domain.provider_errors import UnreadableAnswer
from app.provider.contacts import CONTACT_SYNONYMS
from app.provider.tables import RowReader, normalise_heading

_HEADINGS = (
    *CONTACT_SYNONYMS["number"],
    "to",
    "tel",
    "recipient",
    "phonenumber",
    "telephonenumber",
    "mobilephone",
    "cell",
    "cellphone",
    "cellnumber",
)
# Forwards are answered in between.
CHECKED_AT_ONCE = 500
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# How the files of spreadsheets themselves begin: a ZIP archive, and the older format.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_ADVICE = "save it as CSV (in Excel: File, Save as, CSV UTF-8)"


@dataclass(frozen=True, slots=True)
class Recipients:
    """The columns of a file; `rows` can be read once, and raise InvalidInput."""

    columns: Columns
    rows: AsyncIterator[Row]


async def read_recipients(chunks: AsyncIterator[bytes], region: str) -> Recipients:
    """The file's columns, and its rows below the headings; blank rows are left out.

    The column of numbers is known by its heading. A file without headings is one whose first row
    has a number, and only one: of an order's and a person's, nobody could tell which is which.
    Raises InvalidInput.
    """
    rows = _read_rows(_decode(chunks))
    first = await anext(rows, None)
    if first is None:
        raise InvalidInput("the file is empty")
    if len(first.cells) > MOST_COLUMNS:
        raise InvalidInput(f"the file has more than {MOST_COLUMNS} columns")
    place = _find_number(first.cells, region)
    if place is not None:
        headings = [str(each + 1) for each in range(len(first.cells))]
        headings[place] = NUMBER
        return Recipients(Columns(headings, place), _put_back(first, rows))
    return Recipients(_read_headings(first.cells), rows)


async def check_count(chunks: AsyncIterator[bytes], region: str) -> None:
    """Read all of a file before any row is stored. Raises InvalidInput, also for too many rows."""
    found = await read_recipients(chunks, region)
    count = 0
    async for _ in found.rows:
        count += 1
        if count % CHECKED_AT_ONCE == 0:
            await asyncio.sleep(0)
    if not count:
        raise InvalidInput("there are no rows below the headings")
    if count > MOST_ROWS:
        raise InvalidInput(
            f"a batch has at most {MOST_ROWS:,} rows, and this file has {count:,}: split it"
        )


def _find_number(cells: Sequence[str], region: str) -> int | None:
    """The cell that is a full number. Raises InvalidInput where several are."""
    found = []
    for place, cell in enumerate(cells):
        with suppress(InvalidInput):
            read_number(cell.strip(), region)
            found.append(place)
    if len(found) > 1:
        raise InvalidInput(
            "the first row has several phone numbers: name the columns above it, and call the one"
            " to text “number”"
        )
    return found[0] if found else None


def _read_headings(cells: Sequence[str]) -> Columns:
    """Raises InvalidInput where none names the numbers."""
    places: dict[str, int] = {}
    for place, cell in enumerate(cells):
        places.setdefault(normalise_heading(cell), place)
    found = next((places[name] for name in _HEADINGS if name in places), None)
    if found is None:
        named = ", ".join(repr(cell) for cell in cells[:8])
        raise InvalidInput(
            f"no column is called “number”; the first row has {named}: name the column with the"
            " phone numbers “number” in the first row"
        )
    return Columns([cell.strip() for cell in cells], found)


async def _put_back(first: Row, rows: AsyncIterator[Row]) -> AsyncGenerator[Row]:
    yield first
    async for row in rows:
        yield row


async def _read_rows(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Row]:
    reader = RowReader()
    try:
        async for chunk in chunks:
            for cells in reader.feed(chunk):
                if any(cell.strip() for cell in cells):
                    yield Row(reader.place, cells)
        for cells in reader.finish():
            if any(cell.strip() for cell in cells):
                yield Row(reader.place, cells)
    except UnreadableAnswer:
        raise InvalidInput(
            f"row {reader.place + 1} cannot be read: a quotation mark may be open, or this is not"
            f" a CSV file; {_ADVICE}"
        ) from None


async def _decode(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """UTF-8 with LF, whatever came; a single byte that is not UTF-8 is left to the reader, which
    takes such lines for Windows-1252.
    """
    head = await anext(chunks, b"")
    if head.startswith(_WORKBOOKS):
        raise InvalidInput(f"this is a spreadsheet's own file: {_ADVICE}")
    charset = _guess_utf_16(head)
    decoder = None if charset is None else codecs.getincrementaldecoder(charset)("replace")
    has_lone_returns = b"\r" in head and b"\n" not in head
    async for chunk in _put_back_chunk(head, chunks):
        plain = chunk if decoder is None else decoder.decode(chunk).encode()
        yield plain.replace(b"\r", b"\n") if has_lone_returns else plain


async def _put_back_chunk(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk


def _guess_utf_16(head: bytes) -> str | None:
    """By its mark, else by the zeros beside most letters of the Latin alphabet."""
    for mark, charset in _UTF_16.items():
        if head.startswith(mark):
            return charset
    sample = head[:1000]
    if sample[1::2].count(0) * 4 > len(sample):
        return "utf-16-le"
    if sample[::2].count(0) * 4 > len(sample):
        return "utf-16-be"
    return None
