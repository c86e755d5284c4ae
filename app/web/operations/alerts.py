"""Alerts with what to do, and rejected requests."""

from starlette.responses import Response
from starlette.routing import Route

from app.domain.numbers import normalise_number
from app.domain.operations.alert_kinds import HELP_PATH, KINDS, MEANINGS
from app.storage.inbound import refusals
from app.storage.operations import alerts
from app.web.core.lists import read_list
from app.web.core.site import Site, Visit

STATES = (("open", "Open"), ("closed", "Resolved"), ("all", "All"))


def make_notice_routes(site: Site) -> list[Route]:
    return [
        site.get("/alerts", list_alerts),
        site.get(HELP_PATH, explain_alerts),
        site.get("/refusals", list_refusals),
    ]


async def list_alerts(visit: Visit) -> Response:
    """Alerts, open or resolved."""
    wanted = visit.query.text("state", "open")
    state = wanted if wanted in dict(STATES) else "open"
    is_open = None if state == "all" else state == "open"
    page = await read_list(visit, alerts.list_alerts, is_open=is_open)
    return visit.render("operations/alerts.html", page=page, state=state, states=STATES)


async def explain_alerts(visit: Visit) -> Response:
    """What each kind of alert means and what to do: the service may be offline."""
    return visit.render("operations/alerts_help.html", kinds=KINDS.values(), meanings=MEANINGS)


async def list_refusals(visit: Visit) -> Response:
    """Rejected requests, with the reason."""
    number = normalise_number(visit.query.text("number"), visit.region)
    page = await read_list(visit, refusals.list_refusals, dest=number or None)
    return visit.render("operations/refusals.html", page=page, query=visit.query)
