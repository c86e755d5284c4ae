"""Exports: all rows that match the filters of a list, as CSV or as lines of JSON."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.api.core.calls import CallContext
from app.flows.operations.export import Item, write_jsonl, write_shown
from app.streaming.answers import StreamedAnswer, begin, make_in_turn

MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}

EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file",
        "content": {name: {"schema": {"type": "string"}} for name in MEDIA_TYPES.values()},
        "headers": {
            "Content-Disposition": {
                "description": "the name of the file",
                "schema": {"type": "string"},
            }
        },
    }
}


class ExportQuery(BaseModel):
    """What every export takes; subclasses add the filters of their list."""

    format: Annotated[
        Literal["csv", "ndjson"],
        Field(
            description="csv: with a heading, for spreadsheets; ndjson: one JSON object per line"
        ),
    ] = "csv"


async def answer_export(
    call: CallContext,
    name: str,
    query: ExportQuery,
    pages: AsyncIterator[Sequence[Item]],
    show: Callable[[Item], dict[str, Any]],
    columns: Sequence[str],
) -> StreamedAnswer:
    """All matching rows, as a file with that name. Raises Unavailable before anything is sent."""
    is_csv = query.format == "csv"
    chunks = write_shown(pages, show, columns) if is_csv else write_jsonl(pages, show)
    file = f"{name}-{call.now:%Y%m%dT%H%M%SZ}.{'csv' if is_csv else 'jsonl'}"
    return StreamedAnswer(
        await begin(make_in_turn(chunks, call.runtime.exporting)),
        f"{MEDIA_TYPES[query.format]}; charset=utf-8",
        filename=file,
    )
