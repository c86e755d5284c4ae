"""/refusals: the forwards that were turned away."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.core.dependencies import Keyring, make_router
from app.api.core.lists import LINK_HEADER, Listing, ListQuery
from app.api.core.schemas import OUR_NUMBER, Page, Shown, Time, read_id
from app.runtime import Runtime
from app.storage.inbound import refusals


class Refusal(Shown):
    """Forwards that were turned away; their content is not kept."""

    id: Annotated[str, read_id("ref")] = Field(description="opaque", examples=["ref_4"])
    refused_at: Time = Field(description="when the first of them came")
    address: str = Field(description="where they came from", examples=["192.0.2.7"])
    dest: str = Field(
        description='the number that they named; "" where they named none', examples=[OUR_NUMBER]
    )
    reason: str = Field(description="docs/api.md explains each", examples=["wrong-auth"])
    count: int = Field(description="alike ones that came within a second or so")


def make_refusals_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/refusals", "admin")

    @router.get("", responses=LINK_HEADER)
    async def list_refusals(
        request: Request, response: Response, query: Annotated[ListQuery, Query()]
    ) -> Page[Refusal]:
        """List refused forwards, newest first; a wrong `auth` is the commonest mistake."""
        listing = Listing(request, query, runtime.settings.public_url)
        return await listing.answer(
            response,
            lambda before, limit: runtime.database.read(
                refusals.list_refusals, before=before, limit=limit
            ),
            Refusal.model_validate,
        )

    return router
