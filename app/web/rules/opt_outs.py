"""The opt-outs: looked up, added, removed."""

from collections.abc import Sequence

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import InvalidInput
from app.domain.inbound.queries import fold_words
from app.domain.lengths import LONGEST_REASON, check_length
from app.domain.numbers import (
    find_digits,
    find_whole_number,
    normalise_number,
    read_number,
    write_number,
)
from app.domain.places import read_id_place
from app.flows.rules.opt_out import opt_in, opt_out
from app.storage.conversations.opt_out_search import search_opt_outs
from app.storage.rules import opt_outs
from app.storage.rules.opt_outs import OptOut
from app.web.core.forms.form import Form
from app.web.core.forms.kept_forms import find_kept, show_again
from app.web.core.lists import PAGE_ROWS, answer_csv, make_page, read_all
from app.web.core.rendering.renderer import write_iso
from app.web.core.site import Site, Visit

PATH = "/opt-outs"
MAX_QUERY = 200
HEADINGS = ("number", "reason", "text", "created_at")


def make_opt_out_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, list_opt_outs),
        site.post(PATH, add_opt_out),
        site.get(f"{PATH}/csv", export_opt_outs),
        site.post(f"{PATH}/remove", remove_opt_out),
    ]


async def list_opt_outs(visit: Visit) -> Response:
    """The opt-outs, newest first, or those that are looked up."""
    form = await find_kept(visit)
    if form is None:
        return await _show_list(visit, Form())
    try:
        read_number(form.text("number"), visit.region)
        check_length("text", form.text("text"), LONGEST_REASON)
    except InvalidInput as error:
        form.note(error, ("number", "text"))
    return await _show_list(visit, form, status=422)


async def add_opt_out(visit: Visit) -> Response:
    """Opt a number out, and cancel its waiting texts."""
    form = await visit.read_form()
    try:
        found = await opt_out(
            visit.database,
            read_number(form.text("number"), visit.region),
            reason=form.text("text"),
            who=visit.actor,
            now=visit.now,
        )
    except InvalidInput:
        return await show_again(visit, PATH, form)
    visit.site.runtime.wakeups.notify("events")
    return visit.redirect(PATH, f"{write_number(found.number)} receives no more texts.")


async def remove_opt_out(visit: Visit) -> Response:
    """Let a number be texted again."""
    form = await visit.read_form()
    number = normalise_number(form.text("number"), visit.region)
    await opt_in(visit.database, number, who=visit.actor, now=visit.now)
    return visit.redirect(PATH, f"{number} may be texted again.")


async def export_opt_outs(visit: Visit) -> Response:
    """All of them as CSV."""
    pages = read_all(visit, opt_outs.list_opt_outs)
    return await answer_csv(visit, "opt-outs", HEADINGS, pages, _write)


async def _show_list(visit: Visit, form: Form, *, status: int = 200) -> Response:
    query = visit.query
    q = query.text("q")[:MAX_QUERY]
    words, digits = fold_words(q), find_digits(q, visit.region)
    found = await visit.database.read(
        search_opt_outs,
        words,
        digits=digits,
        before=read_id_place(query.text("before")),
        limit=PAGE_ROWS,
    )
    return visit.render(
        "rules/opt_outs.html",
        status=status,
        page=make_page(visit, found.rows, found.next),
        names=found.names,
        form=form,
        query=query,
        words=words,
        digits=digits,
        number=find_whole_number(q, visit.region),
    )


def _write(row: OptOut) -> Sequence[str]:
    return [row.number, row.reason, row.text, write_iso(row.created_at)]
