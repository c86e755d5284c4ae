"""/alerts: what needs a person, open and closed."""

from typing import Annotated, Any, Self

from fastapi import Query
from pydantic import Field, model_validator

from app.api.core.calls import Call
from app.api.core.filters import BoolFilter
from app.api.core.lists import LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import Page, Shown, Time, read_id
from app.domain.ids import Prefix, encode_id
from app.domain.operations.alert_kinds import Severity
from app.storage.db.database import Connection
from app.storage.operations import alerts

router = make_router("/alerts", "admin")

# Alerts whose subject is a row: programs see its id.
_SUBJECTS: dict[str, Prefix] = {"uncertain": "out", "late-answer": "out", "reply-too-long": "rul"}


class Alert(Shown):
    """Something that needs a person."""

    id: Annotated[str, read_id("alr")] = Field(description="opaque", examples=["alr_5"])
    kind: str = Field(description="stable for programs", examples=["process-vanished"])
    severity: Severity = Field(description="how urgent it is", examples=["critical"])
    subject: str = Field(description="which one")
    text: str = Field(description="what is the matter, for people")
    action: str = Field(description="what to do")
    runbook: str = Field(
        description="the page that explains this kind, below PUBLIC_URL; for a browser",
        examples=["/alerts/help#process-vanished"],
    )
    count: int = Field(description="how often it was found since it opened")
    opened_at: Time = Field(description="when it was found first")
    updated_at: Time = Field(description="when it was found last, or closed")
    closed_at: Time | None = Field(description="when it was over; null: it is open")

    @model_validator(mode="after")
    def _show_id(self) -> Self:
        prefix = _SUBJECTS.get(self.kind)
        if prefix is not None and self.subject.isdecimal():
            self.subject = encode_id(prefix, int(self.subject))
        return self


class AlertQuery(ListQuery):
    """The filter of /alerts."""

    open: Annotated[BoolFilter, Field(description="only open ones, or only closed ones")] = None


@router.get("", responses=LINK_HEADER)
async def list_alerts(call: Call, query: Annotated[AlertQuery, Query()]) -> Page[Alert]:
    """List alerts, newest first, each with what to do."""
    return await answer_list(call, query, _list_alerts, Alert.model_validate)


def _list_alerts(conn: Connection, *, open: bool | None, **page: Any) -> list[alerts.Alert]:
    return alerts.list_alerts(conn, is_open=open, **page)
