"""The overview: open alerts, the state of each part, and plots."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import InvalidInput
from app.flows.inbound.reconcile import LEASE
from app.flows.outbound.sending.pause_sending import pause_sending, resume_sending
from app.storage.access.numbers import list_numbers
from app.storage.db.database import Connection
from app.storage.operations.alerts import Alert, list_alerts
from app.storage.operations.leases import find_last_success
from app.storage.operations.processes import Process, list_processes
from app.storage.operations.stats import DayCount, count_backlog, count_days, measure_parts
from app.storage.outbound.sending.backlog import count_uncertain, count_waiting
from app.storage.outbound.sending.sender import SenderState, get_sender
from app.web.core.forms.form import Form
from app.web.core.site import Site, Visit
from app.web.operations.figures import Credits, draw_plots, foresee_credits, list_days

PATH = "/overview"
DAYS = 28
MAX_BACKLOG = 1000
MAX_WAITING = 10_000
MAX_ALERTS = 20
RECONCILED_PERIOD = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class State:
    """The state of the service, read at one moment."""

    counts: list[DayCount]
    labels: dict[str, str]
    sender: SenderState
    parts_each: float
    waiting: int
    uncertain: int
    alerts: list[Alert]
    processes: list[Process]
    backlog: int
    reconciled_at: datetime | None

    @property
    def compared(self) -> Counter[str]:
        """All counts together, such as the texts that were `reported` and those `missing` here."""
        return sum((each.counts for each in self.counts), Counter())

    @property
    def spool_depth(self) -> int:
        return sum(process.spool_depth for process in self.processes)


def make_overview_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, show_overview),
        site.get(f"{PATH}/pause", ask_to_pause),
        site.post(f"{PATH}/pause", pause),
        site.post(f"{PATH}/resume", resume),
        site.post(f"{PATH}/reconcile", reconcile),
    ]


async def show_overview(visit: Visit) -> Response:
    today = visit.now.astimezone(UTC).date()
    state = await visit.database.read(_read_state, list_days(today, DAYS)[0])
    settings = visit.site.runtime.settings
    return visit.render(
        "operations/overview.html",
        state=state,
        plots=draw_plots(state.counts, state.labels, list_days(today, DAYS)),
        credits=_foresee(state, today, settings.low_credits),
        low_credits=settings.low_credits,
        has_provider=visit.site.runtime.provider is not None,
        days=DAYS,
        reconcile_seconds=settings.reconcile_seconds,
        max_backlog=MAX_BACKLOG,
        max_waiting=MAX_WAITING,
        # The counts are by days of UTC (decision 0038); here is when those begin.
        day_begins=datetime.combine(today, time(), UTC).astimezone(settings.zone).strftime("%H:%M"),
    )


async def ask_to_pause(visit: Visit) -> Response:
    return visit.render("outbound/pause.html", form=Form())


async def pause(visit: Visit) -> Response:
    """Send nothing until someone resumes sending."""
    form = await visit.read_form()
    try:
        reason = form.text("reason") or None
        await visit.database.write(pause_sending, visit.actor, reason, visit.now)
    except InvalidInput as error:
        form.note(error)
        return visit.render("outbound/pause.html", status=422, form=form)
    visit.site.runtime.announce_texts()
    return visit.redirect(PATH, "Sending is paused.")


async def resume(visit: Visit) -> Response:
    """Let sending go on, whoever or whatever stopped it."""
    await visit.database.write(resume_sending, visit.actor, None, visit.now)
    visit.site.runtime.announce_texts()
    return visit.redirect(PATH, "Sending has resumed.")


async def reconcile(visit: Visit) -> Response:
    """Compare the last day with the provider's report now."""
    runtime = visit.site.runtime
    until = visit.now
    found = await runtime.make_reconciler().run_window(until - RECONCILED_PERIOD, until)
    runtime.note_reconciliation(found)
    missing = "none was missing" if not found.missing else f"{found.missing} were missing"
    return visit.redirect(
        PATH, f"Compared with the report: of its {found.reported} texts, {missing} here."
    )


def _foresee(state: State, today: date, low_below: Decimal) -> Credits | None:
    """None while nobody has looked at the balance."""
    if state.sender.credits is None:
        return None
    return foresee_credits(
        Decimal(state.sender.credits),
        state.counts,
        credits_each=state.parts_each,
        low_below=low_below,
        today=today,
        days=DAYS - 1,
    )


def _read_state(conn: Connection, since: date) -> State:
    ours = list_numbers(conn, before=None, limit=100)
    return State(
        count_days(conn, since=since.isoformat(), until=None, number=None),
        {each.number: each.label for each in ours if each.label},
        get_sender(conn),
        measure_parts(conn),
        count_waiting(conn, at_most=MAX_WAITING),
        count_uncertain(conn),
        list_alerts(conn, before=None, limit=MAX_ALERTS, is_open=True),
        list_processes(conn),
        count_backlog(conn, at_most=MAX_BACKLOG),
        find_last_success(conn, LEASE),
    )
