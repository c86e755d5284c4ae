"""Lists: what every one of them takes and answers, `limit`, `cursor`, `next` and `Link`."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, Field

from app.api.core.calls import CallContext
from app.api.core.cursors import decode_cursor, encode_cursor
from app.api.core.filters import BoolFilter, read_numbers
from app.api.core.schemas import Count, Item, Page
from app.domain.places import read_id_place, write_place

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MOST_COUNTED = 10_000

LINK_HEADER: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'the next page\'s address, as `<…>; rel="next"`, where there is one',
                "schema": {"type": "string"},
            }
        }
    }
}
# The answer to a POST that creates something with an address of its own.
CREATED: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {
            "Location": {
                "description": "the address of what was created",
                "schema": {"type": "string", "format": "uri-reference"},
            }
        }
    }
}


class HasId(Protocol):
    """A stored row."""

    @property
    def id(self) -> int: ...


Stored = TypeVar("Stored")
Row = TypeVar("Row", bound=HasId)
Place = TypeVar("Place", bound=int | tuple[datetime | int, ...])
# Reads so many rows from a place on (None: from the beginning), and says where the next ones begin.
ReadPage = Callable[[Place | None, int], Awaitable[tuple[Sequence[Stored], Place | None]]]


class PageQuery(BaseModel):
    """What says which part is wanted."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT, description="how many items at most")] = (
        DEFAULT_LIMIT
    )
    cursor: Annotated[
        str | None, Field(description="`next` of the page before, with the same filters")
    ] = None

    def list_filters(self) -> dict[str, Any]:
        """What a cursor is bound to: everything but where and how much, as it was understood."""
        return self.model_dump(mode="json", exclude={"limit", "cursor", "count"}, exclude_none=True)


class ListQuery(PageQuery):
    """The parameters of every list; subclasses add their filters."""

    count: Annotated[
        BoolFilter, Field(description="true: count all that match, exactly up to 10,000")
    ] = None


async def answer_list(
    call: CallContext,
    query: ListQuery,
    read: Callable[..., Sequence[Row]],
    show: Callable[[Row], Item],
) -> Page[Item]:
    """A page of rows in the order of id, newest first.

    `read` is a storage function that takes the query's filters by their names, besides `before`
    and `limit`.
    """
    query = read_numbers(query, call.region)
    filters = query.model_dump(exclude={"limit", "cursor", "count"})

    async def read_page(before: int | None, limit: int) -> tuple[Sequence[Row], int | None]:
        rows = await call.database.read(read, **filters, before=before, limit=limit + 1)
        page = rows[:limit]
        return page, page[-1].id if len(rows) > limit else None

    return await answer_pages(call, query, read_page, show, read_id_place)


async def answer_pages(
    call: CallContext,
    query: ListQuery,
    read: ReadPage[Place, Stored],
    show: Callable[[Stored], Item],
    read_place: Callable[[str], Place | None],
    *,
    count_by: ReadPage[Any, Stored] | None = None,
) -> Page[Item]:
    """A page of rows in any order, whose place `read_place` takes from the cursor.

    `count_by` reads what is counted where `read` has no end.
    """
    rows, following = await read(find_place(call, query, read_place), query.limit)
    counted = await _count(count_by or read) if query.count else None
    items = [show(row) for row in rows]
    return Page(items=items, next=make_next(call, query, following), count=counted)


async def _count(read: ReadPage[Any, Stored]) -> Count:
    """In small steps, between which others are answered, and not for ever."""
    value, place = 0, None
    for _ in range(MOST_COUNTED // MAX_LIMIT):
        found, place = await read(place, MAX_LIMIT)
        value += len(found)
        if place is None:
            return Count(value=value, exact=True)
    return Count(value=value, exact=False)


def find_place(
    call: CallContext, query: PageQuery, read_place: Callable[[str], Place | None]
) -> Place | None:
    """Where the list goes on. Raises InvalidCursor."""
    if query.cursor is None:
        return None
    path = str(call.request.scope["path"])
    return decode_cursor(query.cursor, path, query.list_filters(), read_place)


def make_next(call: CallContext, query: PageQuery, place: Place | None) -> str | None:
    """The cursor of the next page, with its `Link` header set; None at the end."""
    if place is None:
        return None
    path = str(call.request.scope["path"])
    cursor = encode_cursor(write_place(place), path, query.list_filters())
    params = call.request.query_params.multi_items()
    pairs = [*(pair for pair in params if pair[0] != "cursor"), ("cursor", cursor)]
    # Without PUBLIC_URL the link is relative: whoever calls knows by which address, we do not.
    base = call.runtime.settings.public_url
    address = f"{base}{quote(path)}?{urlencode(pairs)}"
    call.response.headers["Link"] = f'<{address}>; rel="next"'
    return cursor
