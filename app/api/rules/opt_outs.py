"""/opt-outs: the numbers that receive no texts from us."""

from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.core.calls import Call, NumberInPath
from app.api.core.etags import IfMatch
from app.api.core.filters import NumberFilter
from app.api.core.lists import CREATED, LINK_HEADER, ListQuery, answer_list
from app.api.core.routing import make_router
from app.api.core.schemas import GivenNumber, OptOut, Page, Sent, Text
from app.domain.lengths import LONGEST_REASON
from app.domain.numbers import read_number
from app.flows.rules.opt_out import opt_in, opt_out
from app.storage.rules import opt_outs

reading = make_router("/opt-outs", "messages:read")
writing = make_router("/opt-outs", "messages:send")


class OptOutQuery(ListQuery):
    """The filter of /opt-outs."""

    number: Annotated[NumberFilter, Field(description="whether this one is out")] = None


class OptOutCreate(Sent):
    """A number that is to get no texts."""

    number: GivenNumber
    text: Annotated[
        Text, Field(max_length=LONGEST_REASON, description="why", examples=["asked on the phone"])
    ] = ""


@reading.get("", responses=LINK_HEADER)
async def list_opt_outs(call: Call, query: Annotated[OptOutQuery, Query()]) -> Page[OptOut]:
    """List the numbers that are out, newest first, with when and why."""
    return await answer_list(call, query, opt_outs.list_opt_outs, OptOut.model_validate)


@writing.post("", status_code=201, responses=CREATED)
async def add_opt_out(body: OptOutCreate, call: Call) -> OptOut:
    """Opt a number out of texts from all our numbers, and cancel its waiting texts.

    A number that is already opted out keeps its reason. Reading what it texted needs
    `messages:read`.
    """
    number = read_number(body.number, call.region)
    found = await opt_out(call.database, number, reason=body.text, who=call.actor, now=call.now)
    call.runtime.wakeups.notify("events")
    call.locate(f"/opt-outs/{found.number}")
    shown = OptOut.model_validate(found)
    if shown.reason == "keyword" and not call.caller.may("messages:read"):
        shown.text = ""
    return shown


@reading.get("/{number}")
async def get_opt_out(number: NumberInPath, call: Call) -> OptOut:
    """Get one number's opt-out; 404 where it is not out."""
    return OptOut.model_validate(await call.database.read(opt_outs.get_opt_out, number))


@writing.delete("/{number}", status_code=204)
async def remove_opt_out(number: NumberInPath, call: Call, if_match: IfMatch) -> None:
    """Let a number be texted again."""
    check = if_match.checking(OptOut.model_validate)
    await opt_in(call.database, number, check=check, who=call.actor, now=call.now)
