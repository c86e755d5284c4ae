"""/alerts: what needs a person, open and closed."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.dependencies import Keyring, make_router
from app.api.filters import BoolFilter
from app.api.lists import LINK_HEADER, Listing, ListQuery
from app.api.schemas import Alert, Page
from app.runtime import Runtime
from app.storage import alerts


class AlertQuery(ListQuery):
    """The filter of /alerts."""

    open: Annotated[BoolFilter, Field(description="only open ones, or only closed ones")] = None


def make_alerts_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/alerts", "admin")

    @router.get("", responses=LINK_HEADER)
    async def list_alerts(
        request: Request, response: Response, query: Annotated[AlertQuery, Query()]
    ) -> Page[Alert]:
        """List alerts, newest first, each with what to do."""
        listing = Listing(request, query, runtime.settings.base_url)
        rows = await runtime.database.read(
            alerts.list_alerts,
            before=listing.position,
            limit=listing.look_ahead,
            is_open=query.open,
        )
        return listing.make_page(response, rows, Alert.model_validate)

    return router
