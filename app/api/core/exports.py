"""Everything that matches the filters of a list as one file: CSV, or a line of JSON per row."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from app.flows.operations.export import Item, Sheet, write_csv, write_jsonl
from app.runtime import Runtime

MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
MAX_REST_SECONDS = 0.01

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
    form: str,
    pages: AsyncIterator[Sequence[Item]],
    show: Callable[[Item], dict[str, Any]],
    *,
    sheet: Sheet,
    name: str,
    runtime: Runtime,
) -> StreamingResponse:
    """All matching rows, as a file with that name. Raises Unavailable before anything is sent.

    The exports of a process take turns to make pages: several at once would delay forwards.
    """
    chunks = write_csv(pages, show, sheet) if form == "csv" else write_jsonl(pages, show)
    chunks = make_in_turn(chunks, runtime.exporting)
    first = await anext(chunks, b"")
    file = f"{name}-{runtime.now():%Y%m%dT%H%M%SZ}.{'csv' if form == 'csv' else 'jsonl'}"
    return StreamingResponse(
        _prepend(first, chunks),
        media_type=f"{MEDIA_TYPES[form]}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


async def make_in_turn(chunks: AsyncIterator[bytes], turn: asyncio.Lock) -> AsyncIterator[bytes]:
    while True:
        async with turn:
            began = time.perf_counter()
            chunk = await anext(chunks, None)
            # Rest as long as the page took, because the reading thread holds the interpreter.
            await asyncio.sleep(min(time.perf_counter() - began, MAX_REST_SECONDS))
        if chunk is None:
            return
        yield chunk


async def _prepend(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk
