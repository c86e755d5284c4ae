"""Lists of pages: where one goes on, days as people write them, and the same rows as CSV."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.responses import Response, StreamingResponse

from app.domain.csv_safety import BYTE_ORDER_MARK, make_cell, write_rows
from app.web.core.forms import Form
from app.web.core.site import Visit

PAGE_ROWS = 50
EXPORT_ROWS = 500
CSV_TYPE = "text/csv; charset=utf-8"

_DAY = timedelta(days=1)
# No time zone moves a day beyond what a datetime can hold.
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(9000, 1, 1)


class HasId(Protocol):
    """A stored row."""

    @property
    def id(self) -> int: ...


Row = TypeVar("Row", bound=HasId)
ReadRows = Callable[[int | None, int], Awaitable[Sequence[Row]]]


def read_place(query: Form, name: str = "before") -> int | None:
    """Where a list goes on; an address that nobody got from us begins at its newest end."""
    text = query.text(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def cut_page(visit: Visit, rows: Sequence[Row]) -> tuple[Sequence[Row], str | None]:
    """The rows to show, of PAGE_ROWS + 1 that were read, and the address of the older ones."""
    shown = rows[:PAGE_ROWS]
    older = link_page(visit, before=shown[-1].id) if len(rows) > len(shown) else None
    return shown, older


def link_page(visit: Visit, **changes: Any) -> str:
    """The address of this page with other parameters; None takes one away."""
    kept = [pair for pair in visit.request.query_params.multi_items() if pair[0] not in changes]
    pairs = [*kept, *((name, value) for name, value in changes.items() if value is not None)]
    path = visit.site.root + visit.request.scope["path"]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def link_filtered(visit: Visit, path: str) -> str:
    """Another address for what this page's filters find: its CSV."""
    pairs = [pair for pair in visit.request.query_params.multi_items() if pair[0] != "before"]
    path = visit.site.root + path
    return f"{path}?{urlencode(pairs)}" if pairs else path


def read_day(form: Form, name: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime | None:
    """The midnight that begins a day, or ends it; None where none is given or it is no day.

    What is wrong with it is put beside the field.
    """
    text = form.text(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        if not _FIRST_DAY <= day <= _LAST_DAY:
            raise ValueError(text)
    except ValueError:
        form.fail(name, "write a day like 2026-06-01")
        return None
    return datetime.combine(day + _DAY if is_end else day, time(), zone)


async def answer_csv(
    visit: Visit,
    name: str,
    headings: Sequence[str],
    read_rows: ReadRows[Row],
    write: Callable[[Row], Sequence[str | None]],
) -> Response:
    """All rows as a file, each page of them read by itself."""

    async def make() -> AsyncIterator[bytes]:
        yield write_rows([headings])
        place: int | None = None
        while rows := await read_rows(place, EXPORT_ROWS):
            yield write_rows([[make_cell(cell) for cell in write(row)] for row in rows])
            place = rows[-1].id

    return stream_csv(visit, name, make())


def stream_csv(visit: Visit, name: str, chunks: AsyncIterator[bytes]) -> Response:
    """A file to save, named after what it holds and the day."""
    filename = f"{name}-{visit.now:%Y-%m-%d}.csv"

    async def make() -> AsyncIterator[bytes]:
        yield BYTE_ORDER_MARK
        async for chunk in chunks:
            yield chunk

    return StreamingResponse(
        make(),
        media_type=CSV_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
