"""/reports: the provider's reports, whatever types the account has."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.core.calls import Call, CallContext
from app.api.core.filters import TimeFilter
from app.api.core.routing import make_router
from app.api.core.schemas import Shown
from app.domain.times import format_time
from app.flows.operations.fetch_report import Write, fetch_report, write_csv, write_json
from app.streaming.answers import StreamedAnswer, begin

JSON = "application/json"
CSV = "text/csv"
# `fields`: what the client's arguments are called in this interface.
router = make_router(
    "/reports", "admin", fields={"report_type": "type", "since": "from", "until": "to"}
)

EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file with the provider's headings",
        "content": {CSV: {"schema": {"type": "string"}}},
    }
}

ReportType = Annotated[
    str,
    Path(
        description="Messages, Outbox, Usage, InboundMessages, FailedMessages, or any other that"
        " the account has",
        examples=["Messages"],
    ),
]


class ReportQuery(BaseModel):
    """Which part of time; only Outbox does without."""

    since: TimeFilter = Field(None, alias="from", description="the first moment of the report")
    until: TimeFilter = Field(None, alias="to", description="its last moment")


class Report(Shown):
    """A report's rows."""

    items: list[dict[str, str]] = Field(
        description="the provider's texts under the provider's headings",
        examples=[[{"Status": "Delivered", "Messages": "12"}]],
    )


@router.get("/{type}", response_model=Report)
async def get_report(
    type: ReportType, call: Call, query: Annotated[ReportQuery, Query()]
) -> Response:
    """Get a report of the provider.

    It is streamed: where the provider breaks off, so does the answer. Its times are the
    provider's own, in PROVIDER_TIMEZONE. With `Accept: text/csv` the answer is that of
    `/reports/{type}/export`.
    """
    if CSV in call.request.headers.get("accept", "").lower():
        return await _answer_csv(call, type, query)
    return StreamedAnswer(await _begin(call, type, query, write_json), JSON)


@router.get("/{type}/export", response_class=StreamingResponse, responses=EXPORTED)
async def export_report(
    type: ReportType, call: Call, query: Annotated[ReportQuery, Query()]
) -> Response:
    """Download a report of the provider as CSV; otherwise as `/reports/{type}`."""
    return await _answer_csv(call, type, query)


async def _answer_csv(call: CallContext, report_type: str, query: ReportQuery) -> Response:
    chunks = await _begin(call, report_type, query, write_csv)
    name = f"{report_type}-{format_time(call.now)[:10]}.csv"
    return StreamedAnswer(chunks, f"{CSV}; charset=utf-8", filename=name)


async def _begin(
    call: CallContext, report_type: str, query: ReportQuery, write: Write
) -> AsyncGenerator[bytes]:
    provider = call.runtime.get_provider()
    return await begin(
        fetch_report(provider, report_type, since=query.since, until=query.until, write=write)
    )
