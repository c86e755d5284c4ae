"""CSV for spreadsheets: what strangers wrote must not become a formula there."""

import csv
import io
from collections.abc import Sequence

# A spreadsheet takes a cell that begins so for a formula, which may call programs or addresses.
# Full-width signs are as good there as the others.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def make_cell(value: str | None) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = value or ""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_rows(rows: Sequence[Sequence[str]]) -> bytes:
    """Rows as UTF-8 CSV."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
