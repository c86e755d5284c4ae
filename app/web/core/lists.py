"""Lists on pages: one page of rows, filters by day, and all rows as CSV."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.responses import Response

from app.domain.csv_safety import BYTE_ORDER_MARK, Cell, write_csv
from app.domain.places import read_id_place, write_place
from app.streaming.answers import StreamedAnswer, begin, make_in_turn
from app.web.core.forms.form import Form
from app.web.core.forms.moments import read_zone
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


Item = TypeVar("Item")
Row = TypeVar("Row", bound=HasId)
# A storage function that reads rows below an id.
ReadRows = Callable[..., Sequence[Row]]


@dataclass(frozen=True, slots=True)
class ListPage(Generic[Item]):
    """The rows to show, and the addresses of the older and the newest ones, if there are others."""

    rows: Sequence[Item]
    older: str | None
    newest: str | None


async def read_list(visit: Visit, read: ReadRows[Row], **filters: Any) -> ListPage[Row]:
    """The page of a list, newest first, that the address asks for."""
    before = read_id_place(visit.query.text("before"))
    rows = await visit.database.read(read, **filters, before=before, limit=PAGE_ROWS + 1)
    return cut_page(visit, rows)


def cut_page(visit: Visit, rows: Sequence[Row]) -> ListPage[Row]:
    """The page of which PAGE_ROWS + 1 rows were read."""
    shown = rows[:PAGE_ROWS]
    return make_page(visit, shown, shown[-1].id if len(rows) > len(shown) else None)


def make_page(
    visit: Visit, rows: Sequence[Item], following: int | tuple[datetime | int, int] | None
) -> ListPage[Item]:
    """The page whose older rows begin below that place; None: there are none."""
    older = None if following is None else link_page(visit, before=write_place(following))
    return ListPage(rows, older, link_page(visit) if visit.query.has("before") else None)


def link_page(visit: Visit, path: str | None = None, **changes: str) -> str:
    """The address of this page's filters, or of another for what they find, with changes."""
    left_out = {"before", *changes}
    kept = [pair for pair in visit.request.query_params.multi_items() if pair[0] not in left_out]
    pairs = [*kept, *changes.items()]
    address = visit.site.root + (path or visit.request.scope["path"])
    return f"{address}?{urlencode(pairs)}" if pairs else address


def read_day(form: Form, name: str, usual: ZoneInfo, *, is_end: bool = False) -> datetime | None:
    """The midnight at the beginning of a day, or at its end, in the form's zone; None for no day.

    An invalid day becomes an error at the field.
    """
    text = form.text(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        if not _FIRST_DAY <= day <= _LAST_DAY:
            raise ValueError(text)
    except ValueError:
        form.fail(name, "enter a day such as 2026-06-01")
        return None
    return datetime.combine(day + _DAY if is_end else day, time(), read_zone(form, usual))


async def read_all(
    visit: Visit, read: ReadRows[Row], **filters: Any
) -> AsyncIterator[Sequence[Row]]:
    """All pages of a list, each of them read by itself."""
    place: int | None = None
    while rows := await visit.database.read(read, **filters, before=place, limit=EXPORT_ROWS):
        yield rows
        place = rows[-1].id


async def answer_csv(
    visit: Visit,
    name: str,
    headings: Sequence[str],
    pages: AsyncIterator[Sequence[Item]],
    make_row: Callable[[Item], Sequence[Cell]],
) -> Response:
    """All rows as a file."""
    chunks = write_csv(headings, pages, make_row)
    return await save_csv(visit, name, make_in_turn(chunks, visit.site.runtime.exporting))


async def save_csv(visit: Visit, name: str, chunks: AsyncGenerator[bytes]) -> Response:
    """A file to save, named after what it holds and the day."""
    filename = f"{name}-{visit.now:%Y-%m-%d}.csv"
    return StreamedAnswer(await begin(_mark(chunks)), CSV_TYPE, filename=filename)


async def _mark(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    mark = BYTE_ORDER_MARK
    async for chunk in chunks:
        yield mark + chunk
        mark = b""
