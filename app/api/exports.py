"""Answers with all messages that match, as CSV or as lines of JSON, streamed."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal

from fastapi import Request
from starlette.responses import StreamingResponse

from app.api.schemas import show_message
from app.domain.errors import InvalidFields
from app.domain.queries import MessageFilter
from app.flows.export import Order, read_pages, write_csv, write_jsonl
from app.storage.database import Database

ExportType = Literal["text/csv", "application/x-ndjson"]
CSV: ExportType = "text/csv"
NDJSON: ExportType = "application/x-ndjson"


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
    database: Database,
    wanted: MessageFilter,
    *,
    order: Order,
    now: datetime,
) -> StreamingResponse:
    """Raises InvalidFields, and Unavailable before anything is sent."""
    paging = [name for name in ("limit", "cursor") if name in request.query_params]
    if paging:
        raise InvalidFields([(name, "an export holds everything") for name in paging])
    write = write_csv if media_type == CSV else write_jsonl
    chunks = write(read_pages(database, wanted, order=order), show_message)
    first = await anext(chunks, b"")
    ending = "csv" if media_type == CSV else "jsonl"
    name = f"messages-{now:%Y%m%dT%H%M%SZ}.{ending}"
    return StreamingResponse(
        _prepend(first, chunks),
        media_type=f"{media_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


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
