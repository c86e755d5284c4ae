"""/refusals: the forwards that were turned away."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call
from app.api.core.lists import LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import OUR_NUMBER, Page, Shown, Time, read_id
from app.storage.inbound import refusals

router = make_router("/refusals", "admin")


class Refusal(Shown):
    """Forwards that were turned away; their content is not kept."""

    id: Annotated[str, read_id("ref")] = Field(description="opaque", examples=["ref_4"])
    refused_at: Time = Field(description="when the first of them came")
    address: str = Field(description="where they came from", examples=["192.0.2.7"])
    dest: str = Field(
        description='the number that they named; "" where they named none', examples=[OUR_NUMBER]
    )
    reason: str = Field(description="docs/reference/rest.md explains each", examples=["wrong-auth"])
    count: int = Field(description="alike ones that came within a second or so")


@router.get("", responses=LINK_HEADER)
async def list_refusals(call: Call, query: Annotated[ListQuery, Query()]) -> Page[Refusal]:
    """List refused forwards, newest first; a wrong `auth` is the commonest mistake."""
    return await answer_list(call, query, refusals.list_refusals, Refusal.model_validate)
