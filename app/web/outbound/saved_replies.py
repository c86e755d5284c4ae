"""Saved replies: their page, and inserting one where somebody writes."""

from dataclasses import dataclass

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput
from app.domain.inbound.messages import MERGE_FIELDS, make_pair_key
from app.flows.outbound import edit_saved_replies
from app.storage.db.database import Connection
from app.storage.outbound import saved_replies
from app.storage.outbound.saved_replies import SavedReply
from app.storage.rules.answers import read_our_numbers
from app.web.core.forms.form import WHOLE, Form
from app.web.core.site import Site, Visit
from app.web.outbound.writing import OWN, measure_template, normalise_numbers

PATH = "/saved-replies"
FIELDS = ("name", "body")
# The select beside a text, and the fields that say whom it is for.
CHOSEN = "saved_reply"


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of the menu."""

    id: int
    name: str


def make_saved_reply_routes(site: Site) -> list[Route]:
    one = f"{PATH}/{{id:int}}"
    return [
        site.get(PATH, show_all),
        site.post(PATH, add),
        site.get(one, show_one),
        site.post(one, change),
        site.get(f"{one}/remove", ask_to_remove),
        site.post(f"{one}/remove", remove),
        site.post(f"{PATH}/fill", fill),
    ]


def list_choices(conn: Connection) -> list[Choice]:
    """What the menu beside a text offers."""
    return [Choice(each.id, each.name) for each in saved_replies.read_saved_replies(conn)]


async def show_all(visit: Visit) -> Response:
    return await _show_all(visit, Form())


async def add(visit: Visit) -> Response:
    form = await visit.read_form()
    try:
        added = await edit_saved_replies.create_saved_reply(
            visit.database, form.text("name"), form.text("body"), who=visit.actor, now=visit.now
        )
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show_all(visit, form, status=422)
    except Conflict as error:
        form.fail(WHOLE, str(error))
        return await _show_all(visit, form, status=409)
    return visit.redirect(PATH, f"“{added.name}” is saved.")


async def show_one(visit: Visit) -> Response:
    found = await _find(visit)
    return await _show_one(visit, found, Form([("name", found.name), ("body", found.body)]))


async def change(visit: Visit) -> Response:
    form = await visit.read_form()
    found = await _find(visit)
    try:
        await edit_saved_replies.change_saved_reply(
            visit.database,
            found.id,
            name=form.text("name"),
            body=form.text("body"),
            who=visit.actor,
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error, FIELDS)
        return await _show_one(visit, found, form, status=422)
    return visit.redirect(PATH, f"“{form.text('name')}” is saved.")


async def ask_to_remove(visit: Visit) -> Response:
    return visit.render("outbound/saved_replies/saved_reply_remove.html", reply=await _find(visit))


async def remove(visit: Visit) -> Response:
    found = await _find(visit)
    await edit_saved_replies.remove_saved_reply(
        visit.database, found.id, who=visit.actor, now=visit.now
    )
    return visit.redirect(PATH, f"“{found.name}” is removed.")


async def fill(visit: Visit) -> Response:
    """The filled text of the chosen reply, for the script."""
    return PlainTextResponse(await _fill(visit, await visit.read_form()))


async def insert_reply(visit: Visit, form: Form) -> None:
    """Put the chosen reply behind what was written; nothing where none is chosen."""
    if form.number(CHOSEN) is None:
        return
    text, written = await _fill(visit, form), form.text("body")
    form.replace("body", f"{written}\n{text}" if written else text)


async def _fill(visit: Visit, form: Form) -> str:
    """Filled with what is known of the conversation, or of the one number that is written.

    Raises NotFound.
    """
    reply_id, conversation_id = form.number(CHOSEN) or 0, form.number("conversation")
    if conversation_id is not None:
        return await visit.database.read(
            edit_saved_replies.fill_for_conversation, reply_id, conversation_id
        )
    numbers = normalise_numbers(visit, form.text("to"))
    to = numbers[0] if len(numbers) == 1 else ""
    source = form.text("source")
    ours = form.text("own_source") if source == OWN else source
    return await visit.database.read(
        edit_saved_replies.fill_for_number, reply_id, make_pair_key(ours, to), to, ours
    )


async def _find(visit: Visit) -> SavedReply:
    """Raises NotFound."""
    return await visit.database.read(saved_replies.get_saved_reply, visit.path_id)


async def _show_all(visit: Visit, form: Form, *, status: int = 200) -> Response:
    found = await visit.database.read(saved_replies.read_saved_replies)
    return visit.render(
        "outbound/saved_replies/saved_replies.html",
        status=status,
        replies=found,
        form=form,
        names=await visit.database.read(_list_names),
        measure=_measure(form),
    )


async def _show_one(visit: Visit, found: SavedReply, form: Form, *, status: int = 200) -> Response:
    return visit.render(
        "outbound/saved_replies/saved_reply.html",
        status=status,
        reply=found,
        form=form,
        names=await visit.database.read(_list_names),
        measure=_measure(form),
    )


def _measure(form: Form) -> object:
    return measure_template(form.text("body")) if form.text("body") else None


def _list_names(conn: Connection) -> list[str]:
    """The merge fields, and our numbers' own names for them."""
    ours = read_our_numbers(conn).values()
    own = [name for number in ours for name in number.merge_field_names.values()]
    return list(dict.fromkeys([*MERGE_FIELDS, *own]))
