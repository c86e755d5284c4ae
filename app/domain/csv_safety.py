"""CSV for spreadsheets: a stranger's text must not become a formula there."""

import csv
import io
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

Cell = str | int | None
Row = TypeVar("Row")

# Without it spreadsheets read UTF-8 as the local 8-bit charset. Only in files for people: programs
# would take it as part of the first heading.
BYTE_ORDER_MARK = "\ufeff".encode()
# A cell that begins with one of these is a formula, which may run programs or open addresses.
# Full-width signs work as well.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# If a spreadsheet separates cells by semicolons or tabs, as in much of Europe, it ignores our
# quotes: a cell then also begins after each of these.
_BEGINNING = re.compile(rf'^(?=[{_SIGNS}\t\r\n])|(?<=[;|\t\r\n])(?=[ "]*[{_SIGNS}])')


async def write_csv(
    headings: Iterable[str] | None,
    pages: AsyncIterator[Sequence[Row]],
    make_row: Callable[[Row], Sequence[Cell]],
) -> AsyncGenerator[bytes]:
    """UTF-8, a chunk a page, the headings before the first; safe to open in a spreadsheet."""
    begin: list[Sequence[Cell]] = [list(headings)] if headings else []
    async for page in pages:
        yield _write_rows([*begin, *map(make_row, page)])
        begin = []
    if begin:
        yield _write_rows(begin)


def make_cell(value: Cell) -> str:
    """A cell that no spreadsheet reads as a formula, whatever separator it uses."""
    return str(value) if isinstance(value, int) else _BEGINNING.sub("'", value or "")


def _write_rows(rows: Sequence[Sequence[Cell]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([make_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()
