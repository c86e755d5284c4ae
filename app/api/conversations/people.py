"""/people: what numbers are called, and notes about them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from pydantic import Field

from app.api.conversations.schemas import Person, PersonChanges, PersonContent
from app.api.core.calls import Call, NumberInPath
from app.api.core.etags import IfMatch
from app.api.core.lists import LINK_HEADER, ListQuery, answer_pages
from app.api.core.routing import make_router
from app.api.core.schemas import Page
from app.domain.errors import NotFound
from app.domain.inbound.queries import fold_words
from app.domain.places import read_id_place
from app.flows.conversations import edit_people
from app.storage.conversations import people

reading = make_router("/people", "messages:read")
writing = make_router("/people", "messages:send")


class PeopleQuery(ListQuery):
    """The filter of /people."""

    q: Annotated[
        str | None,
        Field(max_length=200, description="every word is a part of the name or of the number"),
    ] = None


@reading.get("", responses=LINK_HEADER)
async def list_people(call: Call, query: Annotated[PeopleQuery, Query()]) -> Page[Person]:
    """List the numbers that have a name or notes, newest card first.

    With `q` a page may be short or empty while `next` is not null.
    """
    words = fold_words(query.q or "")

    async def read(before: int | None, limit: int) -> tuple[Sequence[people.Person], int | None]:
        page = await call.database.read(people.list_people, words=words, before=before, limit=limit)
        return page.people, page.next

    return await answer_pages(call, query, read, Person.model_validate, read_id_place)


@reading.get("/{number}")
async def get_person(number: NumberInPath, call: Call) -> Person:
    """Get what a number is called, and notes about them; 404 for a number without either."""
    return Person.model_validate(await call.database.read(people.get_person, number))


@writing.put("/{number}")
async def set_person(
    number: NumberInPath, body: PersonContent, call: Call, if_match: IfMatch
) -> Person:
    """Write a number's card, whether it has one or not."""

    def check(found: people.Person | None) -> None:
        if found is not None:
            if_match.check(Person.model_validate(found))

    saved = await edit_people.save_person(
        call.database,
        number,
        name=body.name,
        notes=body.notes,
        check=check,
        who=call.actor,
        now=call.now,
    )
    call.runtime.wakeups.notify("events")
    return Person.model_validate(saved)


@writing.patch("/{number}")
async def change_person(
    number: NumberInPath, body: PersonChanges, call: Call, if_match: IfMatch
) -> Person:
    """Change the name or the notes of a number that has a card."""

    def check(found: people.Person | None) -> None:
        if found is None:
            raise NotFound(f"there is no card for {number}")
        if_match.check(Person.model_validate(found))

    sent = body.model_fields_set
    saved = await edit_people.save_person(
        call.database,
        number,
        name=body.name if "name" in sent else None,
        notes=body.notes if "notes" in sent else None,
        check=check,
        who=call.actor,
        now=call.now,
    )
    call.runtime.wakeups.notify("events")
    return Person.model_validate(saved)


@writing.delete("/{number}", status_code=204)
async def remove_person(number: NumberInPath, call: Call, if_match: IfMatch) -> None:
    """Remove a number's card with its name and notes; a text with a name makes a new one."""
    check = if_match.checking(Person.model_validate)
    await edit_people.remove_person(
        call.database, number, check=check, who=call.actor, now=call.now
    )
    call.runtime.wakeups.notify("events")
