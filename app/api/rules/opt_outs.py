"""/opt-outs: who wants no texts from any of our numbers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.core.dependencies import PREFIX, By, Keyring, make_router
from app.api.core.etags import IfMatch
from app.api.core.filters import NumberFilter, read_numbers
from app.api.core.lists import CREATED, LINK_HEADER, Listing, ListQuery
from app.api.core.schemas import A_SENDER, OptOut, Page, Sent, Text
from app.domain.numbers import normalise_number, read_number
from app.flows.rules.opt_out import opt_in, opt_out
from app.runtime import Runtime
from app.storage.rules import opt_outs


class OptOutQuery(ListQuery):
    """The filter of /opt-outs."""

    number: Annotated[NumberFilter, Field(description="whether this one is out")] = None


class OptOutCreate(Sent):
    """A number that is to get no texts."""

    number: Annotated[
        Text,
        Field(
            max_length=40,
            description="a full number, or a national one of DEFAULT_REGION",
            examples=[A_SENDER, "07700 900123"],
        ),
    ]
    text: Annotated[
        Text, Field(max_length=500, description="why", examples=["asked on the phone"])
    ] = ""


def make_opt_outs_router(runtime: Runtime, keyring: Keyring) -> APIRouter:
    reading = make_router(keyring, "/opt-outs", "messages:read")
    writing = make_router(keyring, "/opt-outs", "messages:send")
    settings = runtime.settings
    region = settings.default_region

    @reading.get("", responses=LINK_HEADER)
    async def list_opt_outs(
        request: Request, response: Response, query: Annotated[OptOutQuery, Query()]
    ) -> Page[OptOut]:
        """List the numbers that are out, newest first, with when and why."""
        query = read_numbers(query, region)
        listing = Listing(request, query, settings.public_url)
        return await listing.answer(
            response,
            lambda before, limit: runtime.database.read(
                opt_outs.list_opt_outs,
                number=query.number,
                before=before,
                limit=limit,
            ),
            OptOut.model_validate,
        )

    @writing.post("", status_code=201, responses=CREATED)
    async def add_opt_out(body: OptOutCreate, response: Response, by: By) -> OptOut:
        """Opt a number out of texts from all our numbers, and cancel its waiting texts.

        A number that is already opted out keeps its reason. Reading what it texted needs
        `messages:read`.
        """
        found = await opt_out(
            runtime.database,
            read_number(body.number, region),
            reason=body.text,
            who=by.actor,
            now=runtime.now(),
        )
        runtime.wakeups.notify("events")
        response.headers["Location"] = f"{settings.public_url}{PREFIX}/opt-outs/{found.number}"
        shown = OptOut.model_validate(found)
        if shown.reason == "keyword" and not by.may("messages:read"):
            shown.text = ""
        return shown

    @reading.get("/{number}")
    async def get_opt_out(number: str) -> OptOut:
        """Get one number's opt-out; 404 where it is not out."""
        wanted = normalise_number(number, region)
        found = await runtime.database.read(opt_outs.get_opt_out, wanted)
        return OptOut.model_validate(found)

    @writing.delete("/{number}", status_code=204)
    async def remove_opt_out(number: str, by: By, if_match: IfMatch) -> None:
        """Let a number be texted again."""
        await opt_in(
            runtime.database,
            normalise_number(number, region),
            check=if_match.checking(OptOut.model_validate),
            who=by.actor,
            now=runtime.now(),
        )

    both = APIRouter()
    both.include_router(reading)
    both.include_router(writing)
    return both
