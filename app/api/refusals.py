"""/refusals: the forwards that were turned away."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.dependencies import Keyring, make_router
from app.api.lists import LINK_HEADER, Listing, ListQuery
from app.api.schemas import Page, Refusal
from app.runtime import Runtime
from app.storage import refusals


def make_refusals_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/refusals", "admin")

    @router.get("", responses=LINK_HEADER)
    async def list_refusals(
        request: Request, response: Response, query: Annotated[ListQuery, Query()]
    ) -> Page[Refusal]:
        """List refused forwards, newest first; a wrong `auth` is the commonest mistake."""
        listing = Listing(request, query, runtime.settings.base_url)
        rows = await runtime.database.read(
            refusals.list_refusals, before=listing.position, limit=listing.look_ahead
        )
        return listing.make_page(response, rows, Refusal.model_validate)

    return router
