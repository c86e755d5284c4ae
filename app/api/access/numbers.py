"""/numbers: our virtual numbers and their auth values."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.core.dependencies import PREFIX, By, Keyring, make_router
from app.api.core.etags import IfMatch
from app.api.core.lists import CREATED, LINK_HEADER, Listing, ListQuery
from app.api.core.schemas import (
    OUR_NUMBER,
    AuthWithValue,
    Changes,
    NumberWithAuth,
    Page,
    Sent,
    Text,
    VirtualNumber,
)
from app.domain.numbers import normalise_number
from app.domain.outbound.gsm import LONGEST_BODY
from app.flows.access import configure
from app.runtime import Runtime
from app.storage.access import numbers

Label = Annotated[Text, Field(max_length=200, description="for people", examples=["Front desk"])]
Names = Annotated[
    dict[Text, Text],
    Field(
        max_length=7,
        description="names of your own for the merge fields name, email, 1 … 5",
        examples=[{"1": "appointment"}],
    ),
]
Reply = Annotated[
    Annotated[Text, Field(min_length=1, max_length=LONGEST_BODY)] | None,
    Field(description="the one text that confirms an opt-out; null for none"),
]


class NumberCreate(Sent):
    """A number to configure."""

    number: Annotated[
        Text,
        Field(
            max_length=40,
            description="a full number, or a national one of DEFAULT_REGION",
            examples=[OUR_NUMBER, "07700 900100"],
        ),
    ]
    label: Label = Field(default_factory=str)
    merge_field_names: Names = Field(default_factory=dict)
    opt_out_reply: Reply = None


class NumberChanges(Changes):
    """What to change; what is left out stays."""

    label: Label = Field(default_factory=str)
    merge_field_names: Names = Field(default_factory=dict)
    opt_out_reply: Reply = None


class Rotation(Sent):
    """How to rotate."""

    overlap_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=int(configure.MAX_OVERLAP.total_seconds()),
            description="how long the value before the new one stays good",
        ),
    ] = int(configure.OVERLAP.total_seconds())


def make_numbers_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    router = make_router(keyring, "/numbers", "admin")
    database = runtime.database
    region = runtime.settings.default_region

    def show(stored: numbers.Number) -> VirtualNumber:
        return _show(stored, runtime.now())

    @router.get("", responses=LINK_HEADER)
    async def list_numbers(
        request: Request, response: Response, query: Annotated[ListQuery, Query()]
    ) -> Page[VirtualNumber]:
        """List the numbers that are configured, newest first."""
        listing = Listing(request, query, runtime.settings.public_url)
        return await listing.answer(
            response,
            lambda before, limit: database.read(numbers.list_numbers, before=before, limit=limit),
            show,
        )

    @router.post("", status_code=201, responses=CREATED)
    async def add_number(body: NumberCreate, response: Response, by: By) -> NumberWithAuth:
        """Configure a number; its auth value is shown in this answer alone."""
        added = await configure.add_number(
            database,
            body.number,
            region=region,
            label=body.label,
            merge_field_names=body.merge_field_names,
            opt_out_reply=body.opt_out_reply,
            who=by.actor,
            now=runtime.now(),
        )
        response.headers["Location"] = (
            f"{runtime.settings.public_url}{PREFIX}/numbers/{added.number.number}"
        )
        return _show_with_auth(added, runtime.now())

    @router.get("/{number}")
    async def get_number(number: str) -> VirtualNumber:
        """Get one number."""
        found = await database.read(numbers.get_number, normalise_number(number, region))
        return show(found)

    @router.patch("/{number}")
    async def change_number(
        number: str, body: NumberChanges, by: By, if_match: IfMatch
    ) -> VirtualNumber:
        """Change a number's label, merge field names or reply to an opt-out."""
        changes = body.model_dump(exclude_unset=True)
        changed = await configure.change_number(
            database,
            normalise_number(number, region),
            changes,
            check=if_match.checking(show),
            who=by.actor,
            now=runtime.now(),
        )
        return show(changed)

    @router.delete("/{number}", status_code=204)
    async def remove_number(number: str, by: By, if_match: IfMatch) -> None:
        """Remove a number with its auth values; its messages stay."""
        await configure.remove_number(
            database,
            normalise_number(number, region),
            check=if_match.checking(show),
            who=by.actor,
            now=runtime.now(),
        )

    @router.post("/{number}/rotate-auth")
    async def rotate_auth(
        number: str, by: By, if_match: IfMatch, body: Rotation | None = None
    ) -> NumberWithAuth:
        """Make a new auth value, shown in this answer alone; the one before it stays a while."""
        overlap = timedelta(seconds=(body or Rotation()).overlap_seconds)
        rotated = await configure.rotate_auth(
            database,
            normalise_number(number, region),
            overlap=overlap,
            check=if_match.checking(show),
            who=by.actor,
            now=runtime.now(),
        )
        return _show_with_auth(rotated, runtime.now())

    return router


def _show(stored: numbers.Number, now: datetime) -> VirtualNumber:
    shown = VirtualNumber.model_validate(stored)
    shown.auth = [each for each in shown.auth if each.expires_at is None or each.expires_at > now]
    return shown


def _show_with_auth(made: configure.NumberWithAuth, now: datetime) -> NumberWithAuth:
    shown = _show(made.number, now).model_dump()
    newest, *others = shown.pop("auth")
    auth = [AuthWithValue(**newest, value=made.value)]
    auth += [AuthWithValue(**each, value=None) for each in others]
    return NumberWithAuth(**shown, auth=auth)
