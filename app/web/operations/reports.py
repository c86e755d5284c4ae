"""The provider's reports: any type, any days, on the page or as CSV."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Fault, InvalidFields, InvalidInput
from app.domain.provider_errors import PermanentError
from app.flows.operations.fetch_report import (
    ReportHead,
    check_window,
    fetch_report,
    read_head,
    write_csv,
)
from app.web.core.forms.form import Form
from app.web.core.lists import link_page, read_day, save_csv
from app.web.core.no_account import show_no_account
from app.web.core.site import Site, Visit

PATH = "/reports"
SHOWN_ROWS = 200
TYPES = (
    ("Messages", "Messages: what was sent, with its status"),
    ("Outbox", "Outbox: what is scheduled; needs no dates"),
    ("Usage", "Usage: how many of each status"),
    ("InboundMessages", "InboundMessages: what was received"),
    ("FailedMessages", "FailedMessages: what failed"),
    ("other", "Other type…"),
)


def make_report_routes(site: Site) -> list[Route]:
    return [site.get(PATH, show_report), site.get(f"{PATH}/csv", export_report)]


async def show_report(visit: Visit) -> Response:
    """The form and, once it was sent, the report's first rows."""
    provider = visit.site.runtime.provider
    if provider is None:
        return show_no_account(visit, "The provider's reports")
    form = visit.query
    head: ReportHead | None = None
    if form.has("type"):
        wanted = _read_wanted(visit, form)
        if not form.errors:
            try:
                head = await read_head(provider, **wanted, limit=SHOWN_ROWS)
            except InvalidInput as error:
                _note(form, error)
            except PermanentError as error:  # it knows no such report, or not these days
                form.fail("other" if form.text("type") == "other" else "type", str(error))
    return visit.render(
        "operations/reports.html",
        status=422 if form.errors else 200,
        form=form,
        types=TYPES,
        head=head,
        csv=link_page(visit, f"{PATH}/csv"),
        zone=visit.site.runtime.settings.provider_timezone,
    )


async def export_report(visit: Visit) -> Response:
    """The whole report as CSV, streamed."""
    form = visit.query
    wanted = _read_wanted(visit, form)
    if form.errors:
        raise InvalidInput("; ".join(form.errors.values()))
    chunks = fetch_report(visit.site.runtime.get_provider(), **wanted, write=write_csv)
    return await save_csv(visit, wanted["report_type"], chunks)


def _read_wanted(visit: Visit, form: Form) -> dict[str, Any]:
    """The arguments of `fetch_report`; errors are put at their fields."""
    zone = visit.site.runtime.settings.zone
    chosen = form.text("type")
    name = form.text("other") if chosen == "other" else chosen
    if not name:
        form.fail("other", "enter the report's type")
    since = read_day(form, "from", zone)
    until = read_day(form, "to", zone, is_end=True)
    if since is not None and until is not None and until <= since:
        form.fail("to", "this day is before the first one")
    if not form.errors:
        try:
            check_window(name, since, until)
        except InvalidInput as error:
            _note(form, error)
    return {"report_type": name, "since": since, "until": until}


def _note(form: Form, error: InvalidInput) -> None:
    """At its field, as the form calls it; several at theirs."""
    one = Fault(error.field or "", str(error))
    for fault in error.found if isinstance(error, InvalidFields) else [one]:
        name = {"report_type": "other", "": "type"}.get(fault.field, fault.field)
        form.fail(name, fault.text)
