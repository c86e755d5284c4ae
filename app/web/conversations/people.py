"""People: a card for each number, with its name, where that comes from, and notes."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import AccessDenied, InvalidInput, NotFound
from app.domain.inbound.queries import fold_words
from app.domain.numbers import normalise_number
from app.domain.places import read_id_place
from app.flows.conversations.contact_names import save_contact
from app.flows.conversations.edit_people import remove_person, save_person
from app.storage.conversations.conversations import list_of_number
from app.storage.conversations.people import find_person, list_people
from app.web.core.forms.form import Form
from app.web.core.lists import PAGE_ROWS, make_page
from app.web.core.site import Site, Visit, is_own_path

PATH = "/people"
MAX_QUERY = 200
FIELDS = ("name", "notes")
SOURCES = {
    "person": "Typed here",
    "merge-field": "From their texts",
    "contacts": "From the provider's address book",
}


def make_people_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_people),
        site.get(f"{PATH}/{{number:path}}", show_person),
        site.post(f"{PATH}/{{number:path}}", change_person),
    ]


async def show_people(visit: Visit) -> Response:
    """All cards, newest first, or those whose name or number has every word."""
    query = visit.query
    q = query.text("q")[:MAX_QUERY]
    number = normalise_number(query.text("card"), visit.region)
    if number:
        return visit.redirect(f"{PATH}/{number}")
    page = await visit.database.read(
        list_people,
        words=fold_words(q),
        before=read_id_place(query.text("before")),
        limit=PAGE_ROWS,
    )
    return visit.render(
        "conversations/people.html",
        page=make_page(visit, page.people, page.next),
        q=q,
        sources=SOURCES,
    )


async def show_person(visit: Visit) -> Response:
    """The card of a number, empty for one that has none."""
    return await _show(visit, Form())


async def change_person(visit: Visit) -> Response:
    """Save a card, remove it, or save its name in the provider's address book."""
    form = await visit.read_form()
    number = _read_number(visit)
    try:
        done = await _change(visit, number, form)
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show(visit, form, status=422)
    visit.site.runtime.wakeups.notify("events")
    back = form.text("back")
    return visit.redirect(back if is_own_path(back) else f"{PATH}/{number}", done)


async def _change(visit: Visit, number: str, form: Form) -> str:
    """Returns what was done. Raises InvalidInput."""
    who, now = visit.actor, visit.now
    if form.has("remove"):
        await remove_person(visit.database, number, who=who, now=now)
        return "Card removed."
    name, notes = form.text("name"), form.text("notes")
    await save_person(visit.database, number, name=name, notes=notes, who=who, now=now)
    if not form.has("contact"):
        return "Saved."
    if not visit.is_admin:
        raise AccessDenied("only admins change the provider's address book")
    provider = visit.site.runtime.get_provider()
    await save_contact(visit.database, provider, number, name, who=who, now=now)
    return "Saved here and in the provider's address book."


async def _show(visit: Visit, form: Form, *, status: int = 200) -> Response:
    number = _read_number(visit)
    return visit.render(
        "conversations/person.html",
        status=status,
        number=number,
        person=await visit.database.read(find_person, number),
        conversations=await visit.database.read(list_of_number, number),
        form=form,
        sources=SOURCES,
        has_provider=visit.site.runtime.provider is not None,
    )


def _read_number(visit: Visit) -> str:
    number = normalise_number(visit.request.path_params["number"], visit.region)
    if not number or "\0" in number:
        raise NotFound("there is nobody with this number")
    return number
