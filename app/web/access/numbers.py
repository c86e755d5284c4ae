"""Our numbers: what to paste into the provider's page, and whether texts arrive."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response
from starlette.routing import Route

from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.inbound.messages import MERGE_FIELDS
from app.domain.numbers import normalise_number
from app.flows.access import configure
from app.flows.access.configure import NumberWithAuth
from app.storage.access import numbers
from app.storage.access.numbers import Number, NumberAuth
from app.storage.db.database import Connection
from app.storage.inbound import refusals
from app.storage.inbound.last_seen import find_last_arrival
from app.storage.inbound.refusals import Refusal
from app.web.core.forms.form import WHOLE, Form
from app.web.core.lists import read_list
from app.web.core.rendering.wording import FIELD_LABELS
from app.web.core.site import Site, Visit

PATH = "/numbers"
SHOWN_REFUSALS = 10
# What the pages show once.
AUTH = "auth"
SHARED_AUTH = "shared-auth"
OVERLAPS = (
    ("0", "ends at once"),
    ("3600", "1 hour"),
    ("86400", "1 day"),
    ("604800", "1 week"),
)


@dataclass(frozen=True, slots=True)
class NumberRow:
    """A number in the list; `last_arrived_at` is None before its first text."""

    number: Number
    last_arrived_at: datetime | None

    @property
    def id(self) -> int:
        return self.number.id


@dataclass(frozen=True, slots=True)
class NumberView:
    """A number with what its page shows."""

    number: Number
    auths: tuple[NumberAuth, ...]
    last_arrived_at: datetime | None
    refusals: list[Refusal]


def make_number_routes(site: Site) -> list[Route]:
    return [
        site.get(PATH, list_numbers),
        site.post(PATH, add_number),
        site.post(f"{PATH}/shared-auth", show_shared_auth),
        site.get(f"{PATH}/{{number}}", show_number),
        site.post(f"{PATH}/{{number}}", change_number),
        site.get(f"{PATH}/{{number}}/rotate", go_back_to_number),
        site.post(f"{PATH}/{{number}}/rotate", rotate_auth),
        site.get(f"{PATH}/{{number}}/remove", ask_to_remove),
        site.post(f"{PATH}/{{number}}/remove", remove_number),
    ]


async def list_numbers(visit: Visit) -> Response:
    """All numbers with the time of their last text, and a form to add one."""
    return await _show_list(visit, Form())


async def add_number(visit: Visit) -> Response:
    """Add a number; its page shows the auth value until somebody leaves it."""
    form = await visit.read_form()
    try:
        added = await configure.add_number(
            visit.database,
            form.text("number"),
            region=visit.region,
            label=form.text("label"),
            who=visit.actor,
            now=visit.now,
        )
    except InvalidInput as error:
        form.note(error, known=("number",))
    except Conflict as error:
        form.fail("number", str(error))
    else:
        return _show_value(visit, added)
    return await _show_list(visit, form, status=422)


async def show_shared_auth(visit: Visit) -> Response:
    """Show the shared value that was generated at the first start."""
    shared = visit.site.runtime.secrets
    if "inbound_auth" not in shared.generated:
        raise NotFound("the value is set in LETTERBOX_INBOUND_AUTH, and shown nowhere")
    await visit.note("inbound-auth.show", "INBOUND_AUTH")
    return visit.redirect(PATH, once={SHARED_AUTH: shared.inbound_auth})


async def show_number(visit: Visit) -> Response:
    return await _show(visit, _read_number(visit), Form())


async def change_number(visit: Visit) -> Response:
    """Set the label, the names of merge fields, and the reply to an opt-out."""
    number = _read_number(visit)
    form = await visit.read_form()
    names = {field: form.text(f"merge_field_names.{field}") for field in MERGE_FIELDS}
    changes = {
        "label": form.text("label"),
        "merge_field_names": {field: name for field, name in names.items() if name},
        "opt_out_reply": form.text("opt_out_reply") or None,
    }
    try:
        await configure.change_number(
            visit.database, number, changes, who=visit.actor, now=visit.now
        )
    except InvalidInput as error:
        form.note(error)
        return await _show(visit, number, form, status=422)
    return visit.redirect(f"{PATH}/{number}", "Saved.")


async def rotate_auth(visit: Visit) -> Response:
    """Create a new value; the number's page shows it until somebody leaves it."""
    number = _read_number(visit)
    form = await visit.read_form()
    seconds = form.text("overlap", "86400")
    if seconds not in dict(OVERLAPS):
        form.fail(WHOLE, "choose how long the old value stays valid")
        return await _show(visit, number, form, status=422)
    rotated = await configure.rotate_auth(
        visit.database,
        number,
        overlap=timedelta(seconds=int(seconds)),
        who=visit.actor,
        now=visit.now,
    )
    return _show_value(visit, rotated)


async def go_back_to_number(visit: Visit) -> Response:
    """The number, for whoever opens the address of its form."""
    return visit.redirect(f"{PATH}/{_read_number(visit)}")


async def ask_to_remove(visit: Visit) -> Response:
    found = await visit.database.read(numbers.get_number, _read_number(visit))
    return visit.render("access/number_remove.html", number=found)


async def remove_number(visit: Visit) -> Response:
    number = _read_number(visit)
    await configure.remove_number(visit.database, number, who=visit.actor, now=visit.now)
    return visit.redirect(PATH, f"{number} is removed. Its texts stay in the inbox.")


def _show_value(visit: Visit, made: NumberWithAuth) -> Response:
    return visit.redirect(f"{PATH}/{made.number.number}", once={AUTH: made.value})


async def _show_list(visit: Visit, form: Form, *, status: int = 200) -> Response:
    shared = visit.site.runtime.secrets
    return visit.render(
        "access/numbers.html",
        status=status,
        page=await read_list(visit, _read_rows),
        form=form,
        inbound_url=_make_url(visit),
        shared_auth=visit.shown_once.get(SHARED_AUTH),
        is_generated="inbound_auth" in shared.generated,
    )


async def _show(visit: Visit, number: str, form: Form, *, status: int = 200) -> Response:
    view = await visit.database.read(_read_view, number, visit.now)
    return visit.render(
        "access/number.html",
        status=status,
        view=view,
        form=form,
        value=visit.shown_once.get(AUTH),
        inbound_url=_make_url(visit),
        overlaps=OVERLAPS,
        field_labels=FIELD_LABELS,
    )


def _read_rows(conn: Connection, *, before: int | None, limit: int) -> list[NumberRow]:
    found = numbers.list_numbers(conn, before=before, limit=limit)
    return [NumberRow(each, find_last_arrival(conn, each.number)) for each in found]


def _read_view(conn: Connection, number: str, now: datetime) -> NumberView:
    found = numbers.get_number(conn, number)
    return NumberView(
        found,
        tuple(auth for auth in found.auth if auth.expires_at is None or auth.expires_at > now),
        find_last_arrival(conn, number),
        refusals.list_refusals(conn, dest=number, before=None, limit=SHOWN_REFUSALS),
    )


def _read_number(visit: Visit) -> str:
    """The number of the page's path. Raises NotFound for what no number can be."""
    number = normalise_number(visit.request.path_params["number"], visit.region)
    if "\0" in number:
        raise NotFound("no number has a NUL character")
    return number


def _make_url(visit: Visit) -> str:
    return f"{visit.site.runtime.settings.base_url}/inbound"
