"""Erasures: numbers that were forgotten for good, and a form to forget another."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import InvalidInput
from app.domain.numbers import read_number
from app.flows.operations.erasures.erase_number import begin_erasure, wait_for_erasure
from app.storage.operations.erasures import erasures
from app.web.core.forms.form import Form
from app.web.core.lists import read_list
from app.web.core.site import Site, Visit

PATH = "/erasures"
# How long the form waits for the end, which the next page shows otherwise.
PATIENCE_SECONDS = 5.0


def make_erasure_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, list_erasures),
        site.post(PATH, ask_or_erase),
        site.get(f"{PATH}/{{id:int}}", show_erasure),
    ]


async def list_erasures(visit: Visit) -> Response:
    """What was erased, newest first, and a form."""
    return await _show_list(visit, Form())


async def ask_or_erase(visit: Visit) -> Response:
    """Ask whether this number is meant, and erase it once somebody has said so."""
    form = await visit.read_form()
    try:
        number = read_number(form.text("number"), visit.region)
        if form.text("sure") != "yes":
            return visit.render("operations/erasure_confirm.html", number=number)
        begun = await begin_erasure(visit.database, number, who=visit.actor, now=visit.now)
    except InvalidInput as error:
        form.note(error, ("number",))
        return await _show_list(visit, form, status=422)
    runtime = visit.site.runtime
    runtime.begin_erasing()
    found = await wait_for_erasure(visit.database, begun.id, PATIENCE_SECONDS)
    runtime.announce_texts()
    told = (
        "Erased." if found.finished_at else "The erasure is running; this page shows its progress."
    )
    return visit.redirect(f"{PATH}/{begun.id}", told)


async def show_erasure(visit: Visit) -> Response:
    """What was removed from where, and what the scan found."""
    found = await visit.database.read(erasures.get_erasure, visit.path_id)
    return visit.render("operations/erasure.html", erasure=found)


async def _show_list(visit: Visit, form: Form, *, status: int = 200) -> Response:
    page = await read_list(visit, erasures.list_erasures)
    return visit.render("operations/erasures.html", status=status, page=page, form=form)
