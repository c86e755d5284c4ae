"""/numbers: our virtual numbers and their auth values."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call, CallContext, NumberInPath
from app.api.core.etags import IfMatch, Precondition
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import (
    OUR_NUMBER,
    AuthWithValue,
    Changes,
    GivenNumber,
    NumberWithAuth,
    Page,
    Sent,
    Text,
    VirtualNumber,
)
from app.domain.outbound.gsm import LONGEST_BODY
from app.flows.access import configure
from app.storage.access import numbers

router = make_router("/numbers", "admin")

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

    number: Annotated[GivenNumber, Field(examples=[OUR_NUMBER, "07700 900100"])]
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


@router.get("", responses=LINK_HEADER)
async def list_numbers(call: Call, query: Annotated[ListQuery, Query()]) -> Page[VirtualNumber]:
    """List the numbers that are configured, newest first."""
    return await answer_list(call, query, numbers.list_numbers, partial(_show, now=call.now))


@router.post("", status_code=201, responses=CREATED)
async def add_number(body: NumberCreate, call: Call) -> NumberWithAuth:
    """Configure a number; its auth value is shown in this answer alone."""
    added = await configure.add_number(
        call.database,
        body.number,
        **body.model_dump(exclude={"number"}),
        region=call.region,
        who=call.actor,
        now=call.now,
    )
    call.locate(f"/numbers/{added.number.number}")
    return _show_with_auth(added, call.now)


@router.get("/{number}")
async def get_number(number: NumberInPath, call: Call) -> VirtualNumber:
    """Get one number."""
    return _show(await call.database.read(numbers.get_number, number), call.now)


@router.patch("/{number}")
async def change_number(
    number: NumberInPath, body: NumberChanges, call: Call, if_match: IfMatch
) -> VirtualNumber:
    """Change a number's label, merge field names or reply to an opt-out."""
    changed = await configure.change_number(
        call.database,
        number,
        body.model_dump(exclude_unset=True),
        check=_make_check(if_match, call),
        who=call.actor,
        now=call.now,
    )
    return _show(changed, call.now)


@router.delete("/{number}", status_code=204)
async def remove_number(number: NumberInPath, call: Call, if_match: IfMatch) -> None:
    """Remove a number with its auth values; its messages stay."""
    check = _make_check(if_match, call)
    await configure.remove_number(call.database, number, check=check, who=call.actor, now=call.now)


@router.post("/{number}/rotate-auth")
async def rotate_auth(
    number: NumberInPath, call: Call, if_match: IfMatch, body: Rotation | None = None
) -> NumberWithAuth:
    """Make a new auth value, shown in this answer alone; the one before it stays a while."""
    rotated = await configure.rotate_auth(
        call.database,
        number,
        overlap=timedelta(seconds=(body or Rotation()).overlap_seconds),
        check=_make_check(if_match, call),
        who=call.actor,
        now=call.now,
    )
    return _show_with_auth(rotated, call.now)


def _make_check(if_match: Precondition, call: CallContext) -> Callable[[numbers.Number], None]:
    return if_match.checking(partial(_show, now=call.now))


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
