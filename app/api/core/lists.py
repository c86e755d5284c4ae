"""Lists: what every one of them takes and answers, `limit`, `cursor`, `next` and `Link`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from pydantic import BaseModel, Field

from app.api.core.cursors import decode_cursor, encode_cursor
from app.api.core.filters import BoolFilter
from app.api.core.schemas import Count, Item, Page
from app.domain.errors import InvalidCursor
from app.domain.times import from_microseconds, to_microseconds

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MOST_COUNTED = 10_000

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="how many items at most")]
CursorText = Annotated[
    str | None, Field(description="`next` of the page before, with the same filters")
]

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


# What an answer to POST has that creates what has an address of its own.
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


Row = TypeVar("Row", bound=HasId)


class PageQuery(BaseModel):
    """What says which part is wanted."""

    limit: Limit = DEFAULT_LIMIT
    cursor: CursorText = None

    def list_filters(self) -> dict[str, Any]:
        """What a cursor is bound to: everything but where and how much, as it was understood."""
        return self.model_dump(mode="json", exclude={"limit", "cursor", "count"}, exclude_none=True)


class ListQuery(PageQuery):
    """The parameters of every list; subclasses add their filters."""

    count: Annotated[
        BoolFilter, Field(description="true: count all that match, exactly up to 10,000")
    ] = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One request for a part of a list."""

    request: Request
    query: PageQuery
    # PUBLIC_URL. Without one links are relative: whoever calls knows by which address, we do not.
    base_url: str

    @property
    def position(self) -> int | None:
        """Where the list goes on, for lists in the order of one id. Raises InvalidCursor."""
        found = self.find_position(1)
        return found[0] if found else None

    @property
    def look_ahead(self) -> int:
        """One row more than is shown tells whether another page follows."""
        return self.query.limit + 1

    def find_position(self, length: int) -> tuple[int, ...] | None:
        """Where the list goes on, as so many numbers. Raises InvalidCursor."""
        if self.query.cursor is None:
            return None
        filters = self.query.list_filters()
        return decode_cursor(
            self.query.cursor, str(self.request.scope["path"]), filters, length=length
        )

    def make_next(self, response: Response, position: tuple[int, ...] | None) -> str | None:
        """The cursor of the next page, with its `Link` header set; None at the end."""
        if position is None:
            return None
        path = str(self.request.scope["path"])
        cursor = encode_cursor(position, path, self.query.list_filters())
        sent = [pair for pair in self.request.query_params.multi_items() if pair[0] != "cursor"]
        address = f"{self.base_url}{quote(path)}?{urlencode([*sent, ('cursor', cursor)])}"
        response.headers["Link"] = f'<{address}>; rel="next"'
        return cursor

    async def answer(
        self,
        response: Response,
        read: Callable[[int | None, int], Awaitable[Sequence[Row]]],
        show: Callable[[Row], Item],
    ) -> Page[Item]:
        """The page of a list in the order of id, whose rows below an id `read` gives."""
        page = self.make_page(response, await read(self.position, self.look_ahead), show)

        async def count(place: int | None, limit: int) -> tuple[int, int | None]:
            rows = await read(place, limit)
            return len(rows), rows[-1].id if len(rows) == limit else None

        page.count = await self.count(count)
        return page

    async def count(self, read: Callable[[Any, int], Awaitable[tuple[int, Any]]]) -> Count | None:
        """How many match, if that is asked for: `read` tells how many a page has and what follows.

        In small steps, between which others are answered, and not for ever.
        """
        if not getattr(self.query, "count", None):
            return None
        value, place = 0, None
        for _ in range(MOST_COUNTED // MAX_LIMIT):
            found, place = await read(place, MAX_LIMIT)
            value += found
            if place is None:
                return Count(value=value, exact=True)
        return Count(value=value, exact=False)

    def find_time_position(self) -> tuple[datetime, int] | None:
        """Where the list goes on, for lists in the order of a time and an id.

        Raises InvalidCursor.
        """
        found = self.find_position(2)
        if found is None:
            return None
        try:
            return from_microseconds(found[0]), found[1]
        except OverflowError:
            raise InvalidCursor("the cursor names no time", field="cursor") from None

    def make_time_next(
        self, response: Response, position: tuple[datetime, int] | None
    ) -> str | None:
        """`make_next` for lists in the order of a time and an id."""
        if position is None:
            return None
        time, number = position
        return self.make_next(response, (to_microseconds(time), number))

    def make_page(
        self, response: Response, rows: Sequence[Row], show: Callable[[Row], Item]
    ) -> Page[Item]:
        """The page out of the `look_ahead` rows that were read, for lists in the order of id."""
        page = rows[: self.query.limit]
        place = (page[-1].id,) if len(rows) > len(page) else None
        return Page(items=[show(row) for row in page], next=self.make_next(response, place))
