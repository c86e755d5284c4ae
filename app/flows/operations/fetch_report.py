"""Fetches one of the provider's reports as CSV or JSON, row by row, in constant memory."""

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from app.domain import csv_safety
from app.domain.errors import Fault, InvalidFields, InvalidInput
from app.provider.calls import DATELESS_REPORT
from app.provider.client import ProviderClient
from app.provider.tables import Table, read_batches

Write = Callable[[Table], AsyncGenerator[bytes]]


@dataclass(frozen=True, slots=True)
class ReportHead:
    """A report's first rows; `has_more` where others follow."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    has_more: bool


async def read_head(
    client: ProviderClient,
    report_type: str,
    *,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> ReportHead:
    """So many rows of a report, the rest left unread. Raises InvalidInput and ProviderError."""
    rows: list[Sequence[str]] = []
    async with (
        client.open_report(report_type, since=since, until=until) as table,
        aclosing(aiter(table)) as found,
    ):
        async for row in found:
            if len(rows) == limit:
                return ReportHead(table.headings, rows, has_more=True)
            rows.append(row)
    return ReportHead(table.headings, rows, has_more=False)


async def fetch_report(
    client: ProviderClient,
    report_type: str,
    *,
    since: datetime | None,
    until: datetime | None,
    write: Write,
) -> AsyncGenerator[bytes]:
    """The report in chunks, as `write` makes them; the first comes once it has begun well.

    Raises InvalidInput for a window that cannot be, and ProviderError, perhaps in the midst.
    """
    check_window(report_type, since, until)
    async with (
        client.open_report(report_type, since=since, until=until, is_handed_on=True) as table,
        aclosing(write(table)) as chunks,
    ):
        async for chunk in chunks:
            yield chunk


def check_window(report_type: str, since: datetime | None, until: datetime | None) -> None:
    """Raise InvalidInput where a bound, `from` or `to`, is missing or they lie crosswise."""
    if since is None and until is None and report_type.lower() == DATELESS_REPORT:
        return
    missing = []
    if since is None:
        missing.append(Fault("from", "say when the report begins", "missing"))
    if until is None:
        missing.append(Fault("to", "say when the report ends", "missing"))
    if missing:
        raise InvalidFields(missing)
    if since is not None and until is not None and until < since:
        raise InvalidInput("the end lies before the beginning", field="to")


def write_csv(table: Table) -> AsyncGenerator[bytes]:
    """UTF-8 with the provider's headings; safe to open in a spreadsheet."""
    return csv_safety.write_csv(table.headings, read_batches(table), list)


async def write_json(table: Table) -> AsyncGenerator[bytes]:
    """One object with `items`: an object a row, its texts under the provider's headings."""
    yield b'{"items":['
    comma = ""
    async for rows in read_batches(table):
        shown = (json.dumps(name_cells(table.headings, row), ensure_ascii=False) for row in rows)
        yield (comma + ",\n".join(shown)).encode()
        comma = ",\n"
    yield b"]}"


def name_cells(headings: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    """A row by heading; a cell without one, or whose heading stood before, goes by its place."""
    named: dict[str, str] = {}
    for place, cell in enumerate(row):
        heading = headings[place] if place < len(headings) else ""
        is_free = heading != "" and heading not in named
        named[heading if is_free else f"column {place + 1}"] = cell
    return named
