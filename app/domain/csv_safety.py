"""CSV for spreadsheets: a stranger's text must not become a formula there."""

import csv
import io
import re
from collections.abc import Sequence

# Without it spreadsheets read UTF-8 as the local 8-bit charset. Only in files for people: programs
# would take it as part of the first heading.
BYTE_ORDER_MARK = "\ufeff".encode()
# A cell that begins with one of these is a formula, which may run programs or open addresses.
# Full-width signs work as well.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# If a spreadsheet separates cells by semicolons or tabs, as in much of Europe, it ignores our
# quotes: a cell then also begins after each of these.
_BEGINNING = re.compile(rf'^(?=[{_SIGNS}\t\r\n])|(?<=[;|\t\r\n])(?=[ "]*[{_SIGNS}])')


def make_cell(value: str | None) -> str:
    """A cell that no spreadsheet reads as a formula, whatever separator it uses."""
    return _BEGINNING.sub("'", value or "")


def write_rows(rows: Sequence[Sequence[str]]) -> bytes:
    """Rows as UTF-8 CSV."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
