"""Reads the provider's CSV as a stream, in constant memory."""

import csv
import re
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from app.domain.inbound.urlencoded import BYTE_ORDER_MARK
from app.domain.provider_errors import CodeError, EmptyAnswer, MissingColumns, UnreadableAnswer
from app.provider.codes import CODE_TEXTS, NO_MESSAGES, make_code_error
from app.provider.wire import CODE, decode_answer, read_text, refuse_code

# No field of the provider comes near this; a longer line is no CSV and would fill the memory.
LONGEST_LINE = 1 << 20
# What is looked up or written at once.
BATCH_ROWS = 200

Row = TypeVar("Row")

# The likeliest first: it is used unless another gives the first line more fields.
_DELIMITERS = ",;\t|"
_DELIMITER_LINE = re.compile(r"\"?sep=([,;\t|])\"?", re.IGNORECASE)


class _MoreNeeded(Exception):
    """There are no more lines yet, perhaps within a record."""


class _Lines:
    """Feeds lines to the CSV reader, and takes those of an unfinished record back."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.waiting:
            raise _MoreNeeded
        line = self.waiting.popleft()
        self.taken.append(line)
        return line


class RowReader:
    """Turns chunks of bytes, cut anywhere, into rows of fields.

    Each complete line is decoded as UTF-8, or else as Windows-1252. Blank lines are skipped. The
    separator is found in the first line, or in a line `sep=;` before it, as spreadsheets write it.
    """

    def __init__(self) -> None:
        # The place of the last row as a spreadsheet counts: blank lines are rows, too.
        self.place = 0
        self._rest = b""
        self._is_first = True
        self._delimiter: str | None = None
        self._lines = _Lines()

    def feed(self, chunk: bytes) -> Iterator[list[str]]:
        """The rows that this chunk completes. Raises UnreadableAnswer for what is no CSV."""
        whole, newline, rest = (self._rest + chunk).rpartition(b"\n")
        self._rest = rest
        if len(rest) > LONGEST_LINE:
            raise UnreadableAnswer(f"The CSV has a line of more than {LONGEST_LINE} bytes")
        return self._read(whole + newline)

    def finish(self) -> Iterator[list[str]]:
        """The rows that the end completes. Raises UnreadableAnswer where it cuts a field."""
        rest, self._rest = self._rest, b""
        yield from self._read(rest + b"\n" if rest else b"")
        if self._lines.waiting:
            raise UnreadableAnswer("The CSV ends within a quoted field: it was cut short")

    def _read(self, data: bytes) -> Iterator[list[str]]:
        self._lines.waiting.extend(self._decode(data))
        if self._delimiter is None and not self._find_delimiter():
            return
        reader = csv.reader(self._lines, delimiter=self._delimiter or ",")
        while True:
            try:
                row = next(reader)
            except _MoreNeeded:
                break
            except csv.Error as error:
                message = f"The answer is no CSV: {error}"
                raise UnreadableAnswer(message) from None
            self._lines.taken.clear()
            self.place += 1
            if row:
                yield row
        self._lines.waiting.extend(self._lines.taken)
        self._lines.taken.clear()

    def _find_delimiter(self) -> bool:
        """Look at the first line that is not blank; returns False if there is none yet."""
        lines = self._lines.waiting
        while lines and not lines[0].strip():
            lines.popleft()
            self.place += 1
        if not lines:
            return False
        if match := _DELIMITER_LINE.fullmatch(lines[0].strip("\r\n")):
            self._delimiter = match[1]
            lines.popleft()
        else:
            self._delimiter = max(_DELIMITERS, key=lambda each: _count_fields(lines[0], each))
        return True

    def _decode(self, data: bytes) -> Iterable[str]:
        if not data:
            return []
        if self._is_first:
            self._is_first = False
            data = data.removeprefix(BYTE_ORDER_MARK)
        try:
            text = data.decode("utf-8").replace("\0", "\ufffd")
        except UnicodeDecodeError:
            text = "\n".join(map(decode_answer, data.split(b"\n")))
        # Not splitlines(): it also cuts at characters that may stand in a field.
        return [line + "\n" for line in text.split("\n")[:-1]]


def _count_fields(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), ()))
    except csv.Error:  # reported when the rows are read
        return 0


class Table:
    """Rows under headings, read once. Rows are at least as wide as the headings.

    Short rows are padded with "", because the provider omits empty fields at the end. An empty
    report has no headings.
    """

    def __init__(self, headings: tuple[str, ...], rows: AsyncIterator[list[str]]) -> None:
        self.headings = headings
        self._rows = rows

    async def __aiter__(self) -> AsyncGenerator[list[str]]:
        width = len(self.headings)
        async for row in self._rows:
            if len(row) < width:
                row.extend([""] * (width - len(row)))
            yield row


@asynccontextmanager
async def open_table(chunks: AsyncIterator[bytes]) -> AsyncIterator[Table]:
    """Read the headings of a CSV answer; its rows are read later.

    If nothing was found, the answer may say so or be empty. Raises HtmlAnswer, CodeError, and
    UnreadableAnswer while rows are read.
    """
    try:
        head = await _read_head(chunks)
    except EmptyAnswer:
        head = b""
    except CodeError as error:
        if error.code != NO_MESSAGES:
            raise
        head = b""
    async with aclosing(_read_rows(head, chunks)) as rows:
        yield Table(tuple(await anext(rows, [])), rows)


async def _read_head(chunks: AsyncIterator[bytes]) -> bytes:
    """The first line, and more if that is not a heading. Raises EmptyAnswer, and as above."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if b"\n" in head.lstrip() or len(head) > LONGEST_LINE:
            break
    text = decode_answer(head).lstrip()
    if text.startswith("<") or CODE.match(text):
        async for chunk in chunks:
            head += chunk
            if len(head) > LONGEST_LINE:
                break
        text = decode_answer(head)
    text = read_text(text)
    refuse_code(text)
    if text.strip('".').casefold() == CODE_TEXTS[NO_MESSAGES].casefold():
        raise make_code_error(NO_MESSAGES)
    return head


async def _read_rows(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncGenerator[list[str]]:
    reader = RowReader()
    for row in reader.feed(head):
        yield row
    async for chunk in chunks:
        for row in reader.feed(chunk):
            yield row
    for row in reader.finish():
        yield row


def read_rows(data: bytes) -> list[list[str]]:
    """The rows of a complete CSV."""
    reader = RowReader()
    return [*reader.feed(data), *reader.finish()]


def normalise_heading(heading: str) -> str:
    """Letters and digits alone, without case: `Message ID` and `message_id` are one heading."""
    return "".join(filter(str.isalnum, heading.casefold()))


def find_columns(
    headings: Sequence[str], synonyms: Mapping[str, Sequence[str]], needed: Iterable[str] = ()
) -> dict[str, int]:
    """The place of each column that is there.

    `synonyms` are normalised headings, the likeliest first. Raises MissingColumns, which names the
    headings, if a needed column is not there.
    """
    places: dict[str, int] = {}
    for place, heading in enumerate(map(normalise_heading, headings)):
        places.setdefault(heading, place)
    found = {}
    for column, words in synonyms.items():
        if known := [word for word in words if word in places]:
            found[column] = places[known[0]]
    missing = [column for column in needed if column not in found]
    if missing:
        raise MissingColumns(
            f"The report has no column for {', '.join(missing)}; its headings are"
            f" {', '.join(map(repr, headings))}",
            headings=tuple(headings),
        )
    return found


async def read_batches(rows: AsyncIterable[Row]) -> AsyncIterator[list[Row]]:
    """A report's rows, as many at a time as one query takes."""
    batch: list[Row] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
