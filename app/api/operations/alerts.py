"""/alerts: what needs a person, open and closed."""

from typing import Annotated, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator

from app.api.core.dependencies import Keyring, make_router
from app.api.core.filters import BoolFilter
from app.api.core.lists import LINK_HEADER, Listing, ListQuery
from app.api.core.schemas import Page, Shown, Time, read_id
from app.domain.ids import Prefix, encode_id
from app.runtime import Runtime
from app.storage.operations import alerts

# Alerts whose subject is a row: programs see its id.
_SUBJECTS: dict[str, Prefix] = {"uncertain": "out", "late-answer": "out", "reply-too-long": "rul"}


class Alert(Shown):
    """Something that needs a person."""

    id: Annotated[str, read_id("alr")] = Field(description="opaque", examples=["alr_5"])
    kind: str = Field(description="stable for programs", examples=["process-vanished"])
    subject: str = Field(description="which one")
    text: str = Field(description="what is the matter, for people")
    action: str = Field(description="what to do")
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


def make_alerts_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/alerts", "admin")

    @router.get("", responses=LINK_HEADER)
    async def list_alerts(
        request: Request, response: Response, query: Annotated[AlertQuery, Query()]
    ) -> Page[Alert]:
        """List alerts, newest first, each with what to do."""
        listing = Listing(request, query, runtime.settings.public_url)
        return await listing.answer(
            response,
            lambda before, limit: runtime.database.read(
                alerts.list_alerts,
                before=before,
                limit=limit,
                is_open=query.open,
            ),
            Alert.model_validate,
        )

    return router
