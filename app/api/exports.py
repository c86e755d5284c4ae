"""Answers with all that match, as CSV or as lines of JSON, streamed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal

from fastapi import Request
from starlette.responses import StreamingResponse

from app.domain.errors import Fault, InvalidFields
from app.flows.export import Item, Sheet, write_csv, write_jsonl
from app.runtime import Runtime

ExportType = Literal["text/csv", "application/x-ndjson"]
CSV: ExportType = "text/csv"
NDJSON: ExportType = "application/x-ndjson"

MAX_REST_SECONDS = 0.01

# What a list that can be exported answers besides.
FILES: dict[str, Any] = {
    "description": "A page; or everything, as `Accept` names a type of file",
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
}


def choose_type(
    request: Request, offered: Sequence[ExportType] = (CSV, NDJSON)
) -> ExportType | None:
    """The export on offer that `Accept` names and prefers; None for the ordinary JSON."""
    weights: dict[str, float] = {}
    for part in ",".join(request.headers.getlist("accept")).split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        weights[name] = max(weights.get(name, 0.0), _read_weight(parameters))
    best = max(offered, key=lambda name: weights.get(name, 0.0))
    weight = weights.get(best, 0.0)
    is_preferred = weight > weights.get("application/json", 0.0)
    return best if is_preferred and weight >= weights.get("*/*", 0.0) else None


async def answer_export(
    request: Request,
    media_type: ExportType,
    pages: AsyncIterator[Sequence[Item]],
    show: Callable[[Item], dict[str, Any]],
    *,
    sheet: Sheet,
    name: str,
    runtime: Runtime,
) -> StreamingResponse:
    """All matching rows, as a file with that name. Raises InvalidFields, and Unavailable before
    anything is sent.

    The exports of a process take turns to make pages: several at once would delay forwards.
    """
    paging = [name for name in ("limit", "cursor") if name in request.query_params]
    if paging:
        raise InvalidFields([Fault(name, "an export holds everything") for name in paging])
    is_csv = media_type == CSV
    chunks = write_csv(pages, show, sheet) if is_csv else write_jsonl(pages, show)
    chunks = make_in_turn(chunks, runtime.exporting)
    first = await anext(chunks, b"")
    file = f"{name}-{runtime.now():%Y%m%dT%H%M%SZ}.{'csv' if is_csv else 'jsonl'}"
    return StreamingResponse(
        _prepend(first, chunks),
        media_type=f"{media_type}; charset=utf-8",
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


def _read_weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
