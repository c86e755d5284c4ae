"""/reports: the provider's reports, whatever types the account has."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.core.dependencies import Keyring, make_router
from app.api.core.filters import TimeFilter
from app.api.core.schemas import Shown, format_time
from app.api.core.streaming import StreamedAnswer, begin
from app.flows.operations.fetch_report import Write, fetch_report, write_csv, write_json
from app.runtime import Runtime

Chunks = AsyncGenerator[bytes]
JSON = "application/json"
CSV = "text/csv"
# What the client's arguments are called in this interface.
FIELDS = {"report_type": "type", "since": "from", "until": "to"}

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


def make_reports_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/reports", "admin", fields=FIELDS)

    async def begin_report(report_type: str, query: ReportQuery, write: Write) -> Chunks:
        return await begin(
            fetch_report(
                runtime.get_provider(),
                report_type,
                since=query.since,
                until=query.until,
                write=write,
            )
        )

    async def answer_csv(report_type: str, query: ReportQuery) -> Response:
        chunks = await begin_report(report_type, query, write_csv)
        name = f"{report_type}-{format_time(runtime.now())[:10]}.csv"
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamedAnswer(chunks, f"{CSV}; charset=utf-8", disposition)

    @router.get("/{type}", response_model=Report)
    async def get_report(
        request: Request,
        type: ReportType,  # noqa: A002 the path's name
        query: Annotated[ReportQuery, Query()],
    ) -> Response:
        """Get a report of the provider.

        It is streamed: where the provider breaks off, so does the answer. Its times are the
        provider's own, in PROVIDER_TIMEZONE. With `Accept: text/csv` the answer is that of
        `/reports/{type}/export`.
        """
        if CSV in request.headers.get("accept", "").lower():
            return await answer_csv(type, query)
        return StreamedAnswer(await begin_report(type, query, write_json), JSON, {})

    @router.get("/{type}/export", response_class=StreamingResponse, responses=EXPORTED)
    async def export_report(
        type: ReportType,  # noqa: A002 the path's name
        query: Annotated[ReportQuery, Query()],
    ) -> Response:
        """Download a report of the provider as CSV; otherwise as `/reports/{type}`."""
        return await answer_csv(type, query)

    return router
