"""The pages of what went wrong: alerts with what to do, and forwards that were turned away."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.numbers import normalise_number
from app.storage.inbound import refusals
from app.storage.operations import alerts
from app.web.core.lists import PAGE_ROWS, cut_page, read_place
from app.web.core.site import Site, Visit

STATES = (("open", "Open"), ("closed", "Resolved"), ("all", "All"))


def make_notice_routes(site: Site) -> list[Route]:
    return [site.get("/alerts", list_alerts), site.get("/refusals", list_refusals)]


async def list_alerts(visit: Visit) -> Response:
    """What needs a person, or did."""
    wanted = visit.query.text("state", "open")
    state = wanted if wanted in dict(STATES) else "open"
    rows = await visit.database.read(
        alerts.list_alerts,
        before=read_place(visit.query),
        limit=PAGE_ROWS + 1,
        is_open=None if state == "all" else state == "open",
    )
    shown, older = cut_page(visit, rows)
    return visit.render(
        "operations/alerts.html", rows=shown, older=older, state=state, states=STATES
    )


async def list_refusals(visit: Visit) -> Response:
    """Forwards that were answered 403, with why in words."""
    number = normalise_number(visit.query.text("number"), visit.region)
    rows = await visit.database.read(
        refusals.list_refusals,
        dest=number or None,
        before=read_place(visit.query),
        limit=PAGE_ROWS + 1,
    )
    shown, older = cut_page(visit, rows)
    return visit.render("operations/refusals.html", rows=shown, older=older, query=visit.query)
