"""/reports: the provider's reports, whatever types the account has."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from app.api.dependencies import Keyring, make_router
from app.api.exports import CSV, choose_type
from app.api.filters import TimeFilter
from app.api.schemas import Shown, format_time
from app.api.streaming import StreamedAnswer, begin
from app.domain.errors import InvalidInput
from app.flows.fetch_report import fetch_report, write_csv, write_json
from app.runtime import Runtime

JSON = "application/json"
# What the client's arguments are called in this interface.
FIELDS = {"report_type": "type", "since": "from", "until": "to"}

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {CSV: {"schema": {"type": "string", "examples": ["Status,Messages\r\n"]}}}}
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
    router = make_router(keyring, "/reports", "admin")

    @router.get("/{type}", response_model=Report, responses=RESPONSES)
    async def get_report(
        request: Request,
        type: ReportType,  # noqa: A002 the path's name
        query: Annotated[ReportQuery, Query()],
    ) -> Response:
        """Get a report of the provider, as JSON or (`Accept: text/csv`) as CSV.

        It is streamed: where the provider breaks off, so does the answer. Its times are the
        provider's own, in PROVIDER_TIMEZONE.
        """
        media_type = choose_type(request, [CSV]) or JSON
        chunks = fetch_report(
            runtime.get_provider(),
            type,
            since=query.since,
            until=query.until,
            write=write_csv if media_type == CSV else write_json,
        )
        name = f"{type}-{format_time(runtime.now())[:10]}.{media_type.partition('/')[2]}"
        return StreamedAnswer(
            await _begin(chunks),
            f"{media_type}; charset=utf-8" if media_type == CSV else media_type,
            {"Content-Disposition": f'attachment; filename="{name}"'} if media_type == CSV else {},
        )

    return router


async def _begin(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Raises InvalidInput with the fields as this interface calls them."""
    try:
        return await begin(chunks)
    except InvalidInput as error:
        field = FIELDS.get(error.field or "", error.field)
        raise InvalidInput(str(error), field=field, code=error.code) from None
