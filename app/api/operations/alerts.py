"""/alerts: what needs a person, open and closed."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call
from app.api.core.filters import BoolFilter
from app.api.core.lists import LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import Page
from app.api.operations.schemas import Alert
from app.storage.db.database import Connection
from app.storage.operations import alerts

router = make_router("/alerts", "admin")


class AlertQuery(ListQuery):
    """The filter of /alerts."""

    open: Annotated[BoolFilter, Field(description="only open ones, or only closed ones")] = None


@router.get("", responses=LINK_HEADER)
async def list_alerts(call: Call, query: Annotated[AlertQuery, Query()]) -> Page[Alert]:
    """List alerts, newest first, each with what to do."""
    return await answer_list(call, query, _list_alerts, Alert.model_validate)


def _list_alerts(conn: Connection, *, open: bool | None, **page: Any) -> list[alerts.Alert]:
    return alerts.list_alerts(conn, is_open=open, **page)
